    0.000  > group web min 2 desired 2 max 4
    0.000    web: no instances
    0.000  > expect web in service 2 within 10 s
    0.000  autoscaling/group web: DecideLaunches { first: 1, places: [Place { zone: "us-east-1a", subnet: Some("subnet-1") }, Place { zone: "us-east-1b", subnet: Some("subnet-2") }], cause: "At …
    0.000  autoscaling/group web: Launch { number: 1 }
    0.000  autoscaling/group web: Launch { number: 2 }
    0.000  autoscaling/group web: ForgetReason
    0.000  autoscaling/group web: waits for i-1 to be running; i-2 to be running
    0.000  ec2/network vpc-1: apply the network: 2 interfaces, 1 security groups, 3 subnets
    0.000  ec2/network vpc-1: waits for a change of its records
    0.000  ec2/dns vpc-1: Serve
    0.000  ec2/dns vpc-1: waits for a change of the VPC's network
    0.050  ec2/instance i-2: Launch
    0.050  ec2/instance i-2: RecordRunning { boots: 1 }
    0.050  ec2/instance i-2: waits for its machine to end, or a call
    0.050  ec2/instance i-1: Launch
    0.050  ec2/instance i-1: RecordRunning { boots: 1 }
    0.050  ec2/instance i-1: waits for its machine to end, or a call
    0.050  autoscaling/group web: EnterService { instance: "i-1", register: [], leave_out: [] }
    0.050  autoscaling/group web: EnterService { instance: "i-2", register: [], leave_out: [] }
    0.100  so it is after 0.1 s
    0.100    activity of web: Successful: Launching a new EC2 instance: i-1
    0.100      At 2026-01-01T00:00:00Z a user request created an AutoScalingGroup changing the desired capacity from 0 to 2.  At 2026-01-01T00:00:00Z an instance was started in response to a difference between desired and actual capacity, increasing the capacity from 0 to 2.
    0.100    activity of web: Successful: Launching a new EC2 instance: i-2
    0.100      At 2026-01-01T00:00:00Z a user request created an AutoScalingGroup changing the desired capacity from 0 to 2.  At 2026-01-01T00:00:00Z an instance was started in response to a difference between desired and actual capacity, increasing the capacity from 0 to 2.
    0.100    web: 1 InService in us-east-1a, 1 InService in us-east-1b
    0.100  > balancer front of web
    0.100    front: provisioning; no targets
    0.100    web: 1 InService in us-east-1a, 1 InService in us-east-1b
    0.100  > expect balancer front active within 10 s
    0.100  elbv2/load-balancer arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/front/id-1: make a network interface in subnet-1
    0.100  elbv2/load-balancer arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/front/id-1: make a network interface in subnet-2
    0.100  elbv2/load-balancer arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/front/id-1: make a network interface in subnet-3
    0.100  elbv2/load-balancer arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/front/id-1: waits for the network of vpc-1 to carry eni-1, eni-2, eni-3 (until 0.350)
    0.100  autoscaling/group web: Register { instance: "i-1", target_groups: ["arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/front/id-2"] }
    0.100  autoscaling/group web: Register { instance: "i-2", target_groups: ["arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/front/id-2"] }
    0.100  autoscaling/group web: SetTargetGroup { arn: "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/front/id-2", state: Added }
    0.100  ec2/network vpc-1: apply the network: 5 interfaces, 1 security groups, 3 subnets
    0.100  ec2/network vpc-1: waits for a change of its records
    0.100  elbv2/load-balancer arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/front/id-1: serve 1 listeners, 1 target groups, 2 targets
    0.100  elbv2/load-balancer arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/front/id-1: listen inside the VPC at 172.31.14.187:80
    0.100  elbv2/load-balancer arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/front/id-1: listen inside the VPC at 172.31.20.72:80
    0.100  elbv2/load-balancer arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/front/id-1: listen inside the VPC at 172.31.44.25:80
    0.100  elbv2/load-balancer arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/front/id-1: say that it is active
    0.100  elbv2/target-health arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/front/id-2: note i-1:80 initial, i-2:80 initial; 0 gone
    0.100  elbv2/target-health arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/front/id-2: waits for i-1:80 to be healthy (Target registration is in progress); i-2:80 to be healthy (Target registration is in progress)
    0.100  elbv2/target-health arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/front/id-2: note i-1:80 healthy, i-2:80 healthy; 0 gone
    0.100  autoscaling/group web: SetTargetGroup { arn: "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/front/id-2", state: InService }
    0.200  so it is after 0.1 s
    0.200    front: active; 2 healthy
    0.200    web: 1 InService in us-east-1a, 1 InService in us-east-1b
    0.200  > expect front with 2 healthy within 1 min
    0.200    web: 1 InService in us-east-1a, 1 InService in us-east-1b
    0.200  > expect web launched 2
    0.200    web: 1 InService in us-east-1a, 1 InService in us-east-1b
    0.200  > one of web answers 500
    0.200  fate: i-1 answers 500
    0.200    web: 1 InService in us-east-1a, 1 InService in us-east-1b
    0.200  > expect web launched 3 within 2 min
   10.100  elbv2/target-health arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/front/id-2: note i-1:80 unhealthy; 0 gone
   10.100  elbv2/target-health arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/front/id-2: waits for i-1:80 to be healthy (Health checks failed with these codes: [500])
   10.100  autoscaling/group web: BeginTermination { instance: "i-1", why: Some(Elb), cause: "At 2026-01-01T00:00:10Z an instance was taken out of service in response to an ELB system health che…
   10.100  autoscaling/group web: DecideLaunches { first: 3, places: [Place { zone: "us-east-1b", subnet: Some("subnet-2") }], cause: "At 2026-01-01T00:00:10Z an instance was launched in respons…
   10.100  autoscaling/group web: Deregister { instance: "i-1", target_groups: ["arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/front/id-2"] }
   10.100  autoscaling/group web: Launch { number: 3 }
   10.100  autoscaling/group web: waits for connections of i-1 to drain; i-3 to be running
   10.100  elbv2/load-balancer arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/front/id-1: serve 1 listeners, 1 target groups, 2 targets
   10.100  elbv2/target-health arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/front/id-2: note i-1:80 draining; 0 gone
   10.100  elbv2/target-health arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/front/id-2: waits for i-1:80 to be drained (Target deregistration is in progress)
   10.100  ec2/network vpc-1: apply the network: 6 interfaces, 1 security groups, 3 subnets
   10.100  ec2/network vpc-1: waits for a change of its records
   10.100  elbv2/target-health arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/front/id-2: forget i-1:80
   10.100  elbv2/target-health arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/front/id-2: note ; 1 gone
   10.100  autoscaling/group web: Drained { instance: "i-1", target_groups: ["arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/front/id-2"] }
   10.100  autoscaling/group web: Terminate { instance: "i-1" }
   10.100  autoscaling/group web: waits for i-1 to be terminated; i-3 to be running
   10.100  elbv2/load-balancer arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/front/id-1: serve 1 listeners, 1 target groups, 1 targets
   10.140  ec2/instance i-1: Terminate
   10.140  ec2/instance i-1: RecordTerminated
   10.140  ec2/instance i-1: waits for the end of the hour in which terminated instances are shown (until 3610.140)
   10.140  ec2/network vpc-1: apply the network: 5 interfaces, 1 security groups, 3 subnets
   10.140  ec2/network vpc-1: waits for a change of its records
   10.140  autoscaling/group web: Finish { instance: "i-1" }
   10.140  autoscaling/group web: waits for i-3 to be running
   10.150  ec2/instance i-3: Launch
   10.150  ec2/instance i-3: RecordRunning { boots: 1 }
   10.150  ec2/instance i-3: waits for its machine to end, or a call
   10.150  autoscaling/group web: EnterService { instance: "i-3", register: ["arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/front/id-2"], leave_out: [] }
   10.150  elbv2/load-balancer arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/front/id-1: serve 1 listeners, 1 target groups, 2 targets
   10.150  elbv2/target-health arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/front/id-2: note i-3:80 initial; 0 gone
   10.150  elbv2/target-health arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/front/id-2: waits for i-3:80 to be healthy (Target registration is in progress)
   10.150  elbv2/target-health arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/front/id-2: note i-3:80 healthy; 0 gone
   10.200  so it is after 10.0 s
   10.200    activity of web: Successful: Terminating EC2 instance: i-1
   10.200      At 2026-01-01T00:00:10Z an instance was taken out of service in response to an ELB system health check failure.
   10.200    activity of web: Successful: Launching a new EC2 instance: i-3
   10.200      At 2026-01-01T00:00:10Z an instance was launched in response to an unhealthy instance needing to be replaced.
   10.200    web: 1 InService in us-east-1a, 1 InService in us-east-1b
   10.200  > expect front with 2 healthy within 1 min
   10.200    web: 1 InService in us-east-1a, 1 InService in us-east-1b
   10.200  > settle
   45.200    web: 1 InService in us-east-1a, 1 InService in us-east-1b
   45.200  > expect web in service 2
   45.200    web: 1 InService in us-east-1a, 1 InService in us-east-1b
   45.200  > expect web launched 3
   45.200    web: 1 InService in us-east-1a, 1 InService in us-east-1b
   45.200  > balancer front goes
   45.200    front: gone; 2 healthy
   45.200    web: 1 InService in us-east-1a, 1 InService in us-east-1b
   45.200  > expect balancer front gone within 1 min
   45.200    web: 1 InService in us-east-1a, 1 InService in us-east-1b
   45.200  > settle
   45.200  elbv2/load-balancer arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/front/id-1: take it down
   45.200  elbv2/load-balancer arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/front/id-1: remove eni-1
   45.200  elbv2/load-balancer arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/front/id-1: remove eni-2
   45.200  elbv2/load-balancer arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/front/id-1: remove eni-3
   45.200  elbv2/load-balancer arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/front/id-1: forget it
   45.200  elbv2/target-health arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/front/id-2: note i-2:80 unused, i-3:80 unused; 0 gone
   45.200  ec2/network vpc-1: apply the network: 2 interfaces, 1 security groups, 3 subnets
   45.200  ec2/network vpc-1: waits for a change of its records
   80.300    front: gone; 2 unused
   80.300    web: 1 InService in us-east-1a, 1 InService in us-east-1b
   80.300  > expect web in service 2
   80.300    web: 1 InService in us-east-1a, 1 InService in us-east-1b
   80.300  > expect web launched 3
   80.300    web: 1 InService in us-east-1a, 1 InService in us-east-1b
