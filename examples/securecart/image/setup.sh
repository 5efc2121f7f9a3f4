# The end of the user data: runs on the builder once the shop's files are there.
cd /opt/securecart
python3 -c 'import http.server, sqlite3' 2>/dev/null || {
  echo 'securecart: this base image has only a part of Python; installing the rest'
  apt-get -q update && apt-get -q install --yes --no-install-recommends python3
}
id securecart >/dev/null 2>&1 || useradd --system --no-create-home --shell /usr/sbin/nologin securecart
python3 -m securecart.catalogue /opt/securecart/catalogue.db
python3 -m compileall -q --invalidation-mode unchecked-hash securecart
# One key for all machines of this image, so that any of them can read a cart.
install -d -m 0750 -g securecart /etc/securecart
(umask 077; head -c 32 /dev/urandom | sha256sum | cut -d' ' -f1 >/etc/securecart/key)
chown root:securecart /etc/securecart/key
chmod 0640 /etc/securecart/key
chmod -R a+rX /opt/securecart
mv system/securecart.service /etc/systemd/system/securecart.service
rmdir system
systemctl enable securecart.service
# Does it start? An image that does not is not worth keeping.
systemctl start securecart.service
tries=0
until curl -fs --max-time 2 http://127.0.0.1:8080/healthz; do
  tries=$((tries + 1))
  if [ "$tries" -ge 50 ]; then
    systemctl status --no-pager securecart.service || true
    exit 1
  fi
  sleep 0.2
done
echo
systemctl stop securecart.service
rm -rf /var/lib/securecart/* /root/.ssh/authorized_keys
