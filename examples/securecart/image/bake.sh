#!/usr/bin/env bash
# Bakes the shop's machine image with the ordinary AWS CLI.
#
#   user data = the shop's files + setup.sh, gzip-compressed
#   builder machine installs, says so on its console, powers itself off
#   its disk becomes an image; the image's id goes to SSM parameters
#
# The image is found again by a digest of everything that goes into it, so a
# second run makes nothing.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
shop=$(cd "$here/../shop" && pwd)
version=$(tr -d '[:space:]' <"$shop/VERSION")
marker="securecart: baked $version"
base_parameter=${SECURECART_BASE:-/aws/service/debian/release/12/latest/amd64}
wait_seconds=${SECURECART_BAKE_SECONDS:-180}
export AWS_PAGER=""

work=$(mktemp -d)
builder=""
finish() {
  status=$?
  rm -rf "$work"
  if [ -n "$builder" ]; then
    say "terminating the builder $builder"
    aws ec2 terminate-instances --instance-ids "$builder" >/dev/null || status=1
  fi
  exit "$status"
}
trap finish EXIT

began=$(date +%s%N)
say() {
  local ms=$((($(date +%s%N) - began) / 1000000))
  printf '%4d.%d s  %s\n' $((ms / 1000)) $((ms % 1000 / 100)) "$*"
}
fail() {
  printf 'bake: %s\n' "$*" >&2
  exit 1
}

# Every file of the shop as a here-document: small once compressed, readable once not.
write_user_data() {
  local file mark=END_OF_SECURECART_FILE
  cat <<HEAD
#!/bin/sh
set -eu
end() { [ \$? = 0 ] && echo '$marker' || echo 'securecart: the bake failed'; systemctl --no-block start poweroff.target; }
trap end EXIT
umask 022
mkdir -p /opt/securecart/securecart /opt/securecart/system
cd /opt/securecart
HEAD
  (cd "$shop" && LC_ALL=C ls VERSION securecart/*.py system/*) | while read -r file; do
    if grep -q "^$mark\$" "$shop/$file"; then fail "$file contains the line $mark"; fi
    printf "cat >%s <<'%s'\n" "$file" "$mark"
    cat "$shop/$file"
    printf '%s\n' "$mark"
  done
  cat "$here/setup.sh"
}

command -v aws >/dev/null || fail "the AWS CLI (aws) is not installed"
[ -n "${AWS_ENDPOINT_URL:-}" ] || fail 'AWS_ENDPOINT_URL is not set; run: eval "$(kiln env)"'

write_user_data >"$work/user-data"
gzip -9 -n -c "$work/user-data" >"$work/user-data.gz"
size=$(wc -c <"$work/user-data.gz")
[ "$size" -le 16384 ] || fail "the user data has $size bytes; EC2 takes 16384"

base=$(aws ssm get-parameter --name "$base_parameter" --query Parameter.Value --output text)
digest=$({ cat "$work/user-data"; echo "$base"; } | sha256sum | cut -c1-32)

publish() { # IMAGE
  local name
  for name in "/securecart/image/$version" /securecart/image/current; do
    aws ssm put-parameter --name "$name" --type String --overwrite --value "$1" >/dev/null
  done
  say "SecureCart $version is image $1 (SSM: /securecart/image/$version, /securecart/image/current)"
}

known=$(aws ec2 describe-images --owners self --output text --query 'Images[0].ImageId' \
  --filters "Name=tag:securecart-source,Values=$digest" Name=state,Values=available)
if [ -n "$known" ] && [ "$known" != None ]; then
  say "nothing changed since the last bake"
  publish "$known"
  exit 0
fi

vpc=$(aws ec2 describe-vpcs --filters Name=is-default,Values=true --query 'Vpcs[0].VpcId' --output text)
if [ -z "$vpc" ] || [ "$vpc" = None ]; then
  vpc=$(aws ec2 create-default-vpc --query Vpc.VpcId --output text)
  say "made the default VPC $vpc"
fi

builder=$(aws ec2 run-instances --image-id "$base" --instance-type t3.small --count 1 \
  --instance-initiated-shutdown-behavior stop --user-data "fileb://$work/user-data.gz" \
  --metadata-options HttpTokens=required \
  --tag-specifications 'ResourceType=instance,Tags=[{Key=Name,Value=securecart-builder}]' \
  --query 'Instances[0].InstanceId' --output text)
say "builder $builder starts from $base ($size bytes of user data)"

console() {
  aws ec2 get-console-output --instance-id "$builder" --latest --query Output --output text
}

state="" last="" until=$((SECONDS + wait_seconds))
while [ "$state" != stopped ]; do
  if [ "$SECONDS" -ge "$until" ]; then
    console >&2 || true
    fail "builder $builder is still $state after $wait_seconds s; its console is above"
  fi
  state=$(aws ec2 describe-instances --instance-ids "$builder" --output text \
    --query 'Reservations[0].Instances[0].State.Name')
  case $state in
    terminated | shutting-down)
      fail "builder $builder is $state: $(aws ec2 describe-instances --instance-ids "$builder" \
        --query 'Reservations[0].Instances[0].StateReason.Message' --output text)" ;;
  esac
  [ "$state" = "$last" ] || say "builder $builder is $state"
  last=$state
  [ "$state" = stopped ] || sleep 0.5
done

output=$(console)
case $output in
  *"$marker"*) say "the builder says: $marker" ;;
  *)
    printf '%s\n' "$output" >&2
    fail "the builder never said '$marker'; its console is above" ;;
esac

image=$(aws ec2 create-image --instance-id "$builder" --name "securecart-$version-${digest:0:12}-$(date +%s)" \
  --description "SecureCart $version" --query ImageId --output text \
  --tag-specifications "ResourceType=image,Tags=[{Key=Name,Value=securecart-$version},{Key=securecart-version,Value=$version},{Key=securecart-source,Value=$digest}]")
say "image $image is being made"
aws ec2 wait image-available --image-ids "$image"
publish "$image"
