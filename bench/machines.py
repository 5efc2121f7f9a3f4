"""Real machines: how long launches take, what an idle machine costs, how fast kiln comes up.

A launch is timed from the RunInstances call to the guest's first TCP answer, asked by `kiln probe`
from the VPC's router (the time of the probe command itself is in the figure).
"""
import statistics
import tempfile
import time

from images import docker_archive
from kiln import Kiln, wait_for
import memory
from tables import table


def _states(ec2, ids):
    found = ec2.describe_instances(InstanceIds=ids)["Reservations"]
    return {i["State"]["Name"] for r in found for i in r["Instances"]}


def run():
    rows = []
    with Kiln(machines="local") as kiln, tempfile.TemporaryDirectory() as directory:
        ec2 = kiln.client("ec2")
        base = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        program = kiln.cli("image", "import", str(docker_archive(directory)), "--name", "httpd").stdout.strip()
        group = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["default"]}])["SecurityGroups"][0]["GroupId"]
        for port in (22, 8080):
            ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=port, ToPort=port, CidrIp="0.0.0.0/0")

        def launch(image, port, count=1):
            began = time.perf_counter()
            made = ec2.run_instances(ImageId=image, MinCount=count, MaxCount=count, InstanceType="t3.micro")["Instances"]
            for instance in made:
                probe = kiln.cli("probe", instance["InstanceId"], str(port), check=False)
                if probe.returncode != 0:
                    raise SystemExit(f"{instance['InstanceId']} does not answer on port {port}: {probe.stderr}")
            return time.perf_counter() - began, [i["InstanceId"] for i in made]

        for what, image, port, most in [("systemd", base, 22, 600), ("program as pid 1", program, 8080, 150)]:
            times = []
            for _ in range(7):
                seconds, ids = launch(image, port)
                times.append(seconds * 1000)
                ec2.terminate_instances(InstanceIds=ids)
            middle = statistics.median(times)
            rows.append((f"RunInstances to first TCP answer, {what}, p50 of 7", f"{middle:.0f} ms", f"≤ {most} ms", middle <= most))
        wait_for("the machines before to be gone", lambda: not kiln.status()["machines"], seconds=60)
        before = memory.Holding(kiln)
        seconds, ids = launch(program, 8080, 50)
        rows.append(("50 machines (program), to the last one's answer", f"{seconds:.1f} s", "≤ 5 s", seconds <= 5))
        wait_for("all to be running", lambda: _states(ec2, ids) == {"running"}, seconds=60)
        time.sleep(3)
        host, own = memory.per_machine(before, memory.Holding(kiln), len(ids))
        text = f"{host / 1024:.2f} MiB of the host; kiln's own processes {own / 1024:.2f} MiB"
        rows.append(("overhead per idle machine beside the guest's processes", text, "≤ 3 MiB", host <= 3 * 1024))
        ec2.terminate_instances(InstanceIds=ids)
        wait_for("all machines gone", lambda: not kiln.status()["machines"], seconds=120)
        kiln.cli("down")
        kiln.process.wait(60)
        times = []
        for _ in range(5):
            began = time.perf_counter()
            kiln.start()
            times.append((time.perf_counter() - began) * 1000)
            kiln.cli("down")
            kiln.process.wait(60)
        middle = statistics.median(times)
        rows.append(("kiln up to first answer, cached images, p50 of 5", f"{middle:.0f} ms", "≤ 300 ms", middle <= 300))
        kiln.start()
        time.sleep(2)
        idle = memory.resident(kiln.process.pid)
        rows.append(("idle memory", f"{idle / 1024:.0f} MiB", "≤ 60 MiB", idle <= 60 * 1024))
    return table(rows)
