# What test_terraform.py puts beside the example shop: one resource of each further kind that Kiln has,
# and a switch that changes several of them in place.

terraform {
  backend "s3" {
    bucket       = "state"
    key          = "shop/terraform.tfstate"
    use_lockfile = true
  }
}

variable "changed" {
  type    = bool
  default = false
}

data "aws_caller_identity" "me" {}

data "aws_iam_policy_document" "read" {
  statement {
    actions   = ["ssm:GetParameter"]
    resources = [aws_ssm_parameter.greeting.arn]
  }
}

resource "aws_iam_policy" "read" {
  name   = "read"
  policy = data.aws_iam_policy_document.read.json
}

resource "aws_iam_role_policy_attachment" "read" {
  role       = aws_iam_role.machine.name
  policy_arn = aws_iam_policy.read.arn
}

resource "aws_iam_role_policy" "files" {
  name = "files"
  role = aws_iam_role.machine.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "s3:GetObject", Resource = "${aws_s3_bucket.files.arn}/*" }]
  })
}

resource "aws_iam_user" "deployer" {
  name = "deployer"
}

resource "aws_iam_access_key" "deployer" {
  user = aws_iam_user.deployer.name
}

resource "aws_key_pair" "admin" {
  key_name   = "admin"
  public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl admin"
}

resource "aws_ssm_parameter" "greeting" {
  name  = "/shop/greeting"
  type  = "String"
  value = var.changed ? "good evening" : "hello"
}

resource "aws_ssm_parameter" "secret" {
  name  = "/shop/secret"
  type  = "SecureString"
  value = "hush"
}

resource "aws_s3_bucket" "files" {
  bucket        = "shop-files"
  force_destroy = true
  tags          = { changed = tostring(var.changed) }
}

resource "aws_s3_bucket_versioning" "files" {
  bucket = aws_s3_bucket.files.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_public_access_block" "files" {
  bucket                  = aws_s3_bucket.files.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "files" {
  bucket = aws_s3_bucket.files.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_object" "page" {
  depends_on   = [aws_s3_bucket_versioning.files]
  bucket       = aws_s3_bucket.files.id
  key          = "pages/a page+ü.html"
  content      = var.changed ? "<h1>closed</h1>" : "<h1>open</h1>"
  content_type = "text/html"
  tags         = { part = "page" }
}

resource "aws_lb_listener_rule" "teapot" {
  listener_arn = aws_lb_listener.http.arn
  priority     = var.changed ? 20 : 10

  condition {
    path_pattern {
      values = ["/teapot"]
    }
  }

  action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      message_body = "short and stout"
      status_code  = "418"
    }
  }
}

# The older ways to write rules: in the group, and one that stands alone.
resource "aws_security_group" "admin" {
  name   = "admin"
  vpc_id = aws_vpc.shop.id

  ingress {
    from_port   = 22
    to_port     = 22
    protocol    = "tcp"
    cidr_blocks = [var.changed ? "10.20.0.0/16" : "10.0.0.0/8"]
  }

  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_security_group_rule" "among_machines" {
  type              = "ingress"
  security_group_id = aws_security_group.machine.id
  from_port         = 9000
  to_port           = 9010
  protocol          = "tcp"
  self              = true
}

resource "aws_instance" "admin" {
  ami                    = nonsensitive(data.aws_ssm_parameter.image.value)
  instance_type          = "t3.micro"
  subnet_id              = aws_subnet.public[0].id
  vpc_security_group_ids = [aws_security_group.admin.id]
  key_name               = aws_key_pair.admin.key_name
  user_data              = "#!/bin/sh\necho up\n"

  root_block_device {
    volume_size = 12
    volume_type = "gp3"
    tags        = { Name = "admin" }
  }

  tags = { Name = var.changed ? "keeper" : "admin" }
}

resource "aws_eip" "admin" {
  instance = aws_instance.admin.id
  domain   = "vpc"
}

output "account" {
  value = data.aws_caller_identity.me.account_id
}
