"""Terraform makes a machine and logs in to it: `remote-exec` and `file` at its public address, and the usual
arguments of modules for networks (the default network ACL and security group are managed, S3's prefix list is
looked up). Made, found unchanged, removed.
"""
import pathlib
import subprocess
import tempfile
import unittest
import unittest

from kiln import Kiln
from terraform_runs import Runs, needs_terraform, plugins

MACHINE = """
variable "image" {}
resource "aws_vpc" "v" {
  cidr_block           = "10.60.0.0/16"
  enable_dns_hostnames = true
}
resource "aws_internet_gateway" "g" { vpc_id = aws_vpc.v.id }
resource "aws_default_network_acl" "d" {
  default_network_acl_id = aws_vpc.v.default_network_acl_id
  subnet_ids             = null
  ingress {
    rule_no    = 100
    action     = "allow"
    protocol   = "-1"
    from_port  = 0
    to_port    = 0
    cidr_block = "0.0.0.0/0"
  }
  ingress {
    rule_no         = 101
    action          = "allow"
    protocol        = "-1"
    from_port       = 0
    to_port         = 0
    ipv6_cidr_block = "::/0"
  }
  egress {
    rule_no    = 100
    action     = "allow"
    protocol   = "-1"
    from_port  = 0
    to_port    = 0
    cidr_block = "0.0.0.0/0"
  }
  lifecycle { ignore_changes = [subnet_ids] }
}
resource "aws_default_security_group" "d" { vpc_id = aws_vpc.v.id }
resource "aws_subnet" "s" {
  vpc_id                  = aws_vpc.v.id
  cidr_block              = "10.60.1.0/24"
  map_public_ip_on_launch = true
}
resource "aws_network_acl" "own" {
  vpc_id     = aws_vpc.v.id
  subnet_ids = [aws_subnet.s.id]
}
resource "aws_network_acl_rule" "in" {
  network_acl_id = aws_network_acl.own.id
  rule_number    = 100
  rule_action    = "allow"
  protocol       = "tcp"
  from_port      = 22
  to_port        = 22
  cidr_block     = "127.0.0.0/8"
}
resource "aws_network_acl_rule" "out" {
  network_acl_id = aws_network_acl.own.id
  rule_number    = 100
  egress         = true
  rule_action    = "allow"
  protocol       = "-1"
  cidr_block     = "0.0.0.0/0"
}
resource "aws_route_table" "t" {
  vpc_id = aws_vpc.v.id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.g.id
  }
}
resource "aws_route_table_association" "a" {
  subnet_id      = aws_subnet.s.id
  route_table_id = aws_route_table.t.id
}
data "aws_prefix_list" "s3" {
  filter {
    name   = "prefix-list-name"
    values = ["com.amazonaws.us-east-1.s3"]
  }
}
resource "aws_security_group" "ssh" {
  vpc_id = aws_vpc.v.id
  ingress {
    protocol    = "tcp"
    from_port   = 22
    to_port     = 22
    cidr_blocks = ["0.0.0.0/0"]
  }
  egress {
    protocol        = "tcp"
    from_port       = 4566
    to_port         = 4566
    prefix_list_ids = [data.aws_prefix_list.s3.id]
  }
}
resource "aws_key_pair" "k" {
  key_name   = "k"
  public_key = file("key.pub")
}
resource "aws_instance" "m" {
  ami                    = var.image
  instance_type          = "t3.micro"
  subnet_id              = aws_subnet.s.id
  vpc_security_group_ids = [aws_security_group.ssh.id]
  key_name               = aws_key_pair.k.key_name
  depends_on             = [aws_route_table_association.a, aws_network_acl_rule.in, aws_network_acl_rule.out]
  connection {
    host        = self.public_ip
    user        = "admin"
    private_key = file("key")
  }
  provisioner "file" {
    content     = "from terraform"
    destination = "/tmp/given"
  }
  provisioner "remote-exec" {
    inline = ["sudo cp /tmp/given /etc/given", "test \\"$(id -un)\\" = admin"]
  }
}
output "id" { value = aws_instance.m.id }
"""


@needs_terraform
class Machines(Runs):
    @classmethod
    def setUpClass(cls):
        cls.kiln = cls.enterClassContext(Kiln(machines="local"))
        cls.work = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.work.cleanup)
        home = pathlib.Path(cls.work.name)
        (home / "main.tf").write_text(MACHINE)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / "key"], check=True)

    def test_a_machine_is_made_and_provisioned(self):
        image = self.kiln.client("ec2").describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        variables = ["-input=false", "-var", f"image={image}"]
        self.terraform("init", "-input=false", f"-plugin-dir={plugins()}")
        self.terraform("apply", *variables, "-auto-approve")
        instance = self.terraform("output", "-raw", "id")
        self.assertEqual(self.kiln.cli("shell", instance, "--", "cat", "/etc/given").stdout, "from terraform")
        self.terraform("plan", *variables, "-detailed-exitcode")
        self.terraform("destroy", *variables, "-auto-approve")
        self.assertEqual([v["IsDefault"] for v in self.kiln.client("ec2").describe_vpcs()["Vpcs"]], [True])


if __name__ == "__main__":
    unittest.main()
