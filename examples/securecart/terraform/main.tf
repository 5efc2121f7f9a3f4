# SecureCart on three zones, as cloudformation/shop.yaml has it: a load balancer in front of a group of
# machines that are replaced when they die. The machines run a baked image and are never changed; a new
# version is a new image.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.0"
    }
  }
}

# Endpoint, region and credentials come from the environment: eval "$(kiln env)".
provider "aws" {}

variable "name" {
  description = "What the parts are called"
  type        = string
  default     = "securecart"
}

variable "image_parameter" {
  description = "SSM parameter with the shop's machine image, written by image/bake.sh"
  type        = string
  default     = "/securecart/image/current"
}

variable "instance_type" {
  description = "Size of the machines"
  type        = string
  default     = "t3.micro"
}

variable "machines" {
  description = "Fewest, most and wanted machines"
  type        = object({ min = number, max = number, desired = number })
  default     = { min = 3, max = 6, desired = 3 }
}

variable "vpc_cidr" {
  description = "Addresses of the shop's network"
  type        = string
  default     = "10.20.0.0/16"
}

output "shop_url" {
  description = "The shop"
  value       = "http://${aws_lb.shop.dns_name}/"
}

output "group_name" {
  description = "The Auto Scaling group"
  value       = aws_autoscaling_group.shop.name
}

output "target_group_arn" {
  description = "The load balancer's targets"
  value       = aws_lb_target_group.shop.arn
}
