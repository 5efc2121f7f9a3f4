    0.000  > group web min 3 desired 3 max 6
    0.000    web: no instances
    0.000  > expect web in service 3 within 10 s
    0.000  autoscaling/group web: DecideLaunches { first: 1, places: [Place { zone: "us-east-1a", subnet: Some("subnet-1") }, Place { zone: "us-east-1b", subnet: Some("subnet-2") }, Place { zone…
    0.000  autoscaling/group web: Launch { number: 1 }
    0.000  autoscaling/group web: Launch { number: 2 }
    0.000  autoscaling/group web: Launch { number: 3 }
    0.000  autoscaling/group web: ForgetReason
    0.000  autoscaling/group web: waits for i-1 to be running; i-2 to be running; i-3 to be running
    0.000  ec2/network vpc-1: apply the network: 3 interfaces, 1 security groups, 3 subnets
    0.000  ec2/network vpc-1: waits for a change of its records
    0.000  ec2/dns vpc-1: Serve
    0.000  ec2/dns vpc-1: waits for a change of the VPC's network
    0.050  ec2/instance i-3: Launch
    0.050  ec2/instance i-3: RecordRunning { boots: 1 }
    0.050  ec2/instance i-3: waits for its machine to end, or a call
    0.050  ec2/instance i-1: Launch
    0.050  ec2/instance i-1: RecordRunning { boots: 1 }
    0.050  ec2/instance i-1: waits for its machine to end, or a call
    0.050  ec2/instance i-2: Launch
    0.050  ec2/instance i-2: RecordRunning { boots: 1 }
    0.050  ec2/instance i-2: waits for its machine to end, or a call
    0.050  autoscaling/group web: EnterService { instance: "i-1", register: [], leave_out: [] }
    0.050  autoscaling/group web: EnterService { instance: "i-2", register: [], leave_out: [] }
    0.050  autoscaling/group web: EnterService { instance: "i-3", register: [], leave_out: [] }
    0.100  so it is after 0.1 s
    0.100    activity of web: Successful: Launching a new EC2 instance: i-1
    0.100      At 2026-01-01T00:00:00Z a user request created an AutoScalingGroup changing the desired capacity from 0 to 3.  At 2026-01-01T00:00:00Z an instance was started in response to a difference between desired and actual capacity, increasing the capacity from 0 to 3.
    0.100    activity of web: Successful: Launching a new EC2 instance: i-2
    0.100      At 2026-01-01T00:00:00Z a user request created an AutoScalingGroup changing the desired capacity from 0 to 3.  At 2026-01-01T00:00:00Z an instance was started in response to a difference between desired and actual capacity, increasing the capacity from 0 to 3.
    0.100    activity of web: Successful: Launching a new EC2 instance: i-3
    0.100      At 2026-01-01T00:00:00Z a user request created an AutoScalingGroup changing the desired capacity from 0 to 3.  At 2026-01-01T00:00:00Z an instance was started in response to a difference between desired and actual capacity, increasing the capacity from 0 to 3.
    0.100    web: 1 InService in us-east-1a, 1 InService in us-east-1b, 1 InService in us-east-1c
    0.100  > tick 60 s
   60.100    web: 1 InService in us-east-1a, 1 InService in us-east-1b, 1 InService in us-east-1c
   60.100  > kill one of web
   60.100  fate: i-1 is killed
   60.100    web: 1 InService in us-east-1a, 1 InService in us-east-1b, 1 InService in us-east-1c
   60.100  > tick 0.01 s
   60.100  ec2/instance i-1: RecordExit(ExitInfo { cause: Signalled { signal: 9 }, at_ms: 1767225660100, text: "its first process was ended by signal 9 (SIGKILL)" })
   60.100  ec2/instance i-1: waits for a call to start or terminate it
   60.100  ec2/network vpc-1: apply the network: 3 interfaces, 1 security groups, 3 subnets
   60.100  ec2/network vpc-1: waits for a change of its records
   60.100  autoscaling/group web: BeginTermination { instance: "i-1", why: Some(Ec2), cause: "At 2026-01-01T00:01:00Z an instance was taken out of service in response to an EC2 health check indi…
   60.100  autoscaling/group web: DecideLaunches { first: 4, places: [Place { zone: "us-east-1b", subnet: Some("subnet-2") }], cause: "At 2026-01-01T00:01:00Z an instance was launched in respons…
   60.100  autoscaling/group web: Terminate { instance: "i-1" }
   60.100  autoscaling/group web: Launch { number: 4 }
   60.100  autoscaling/group web: waits for i-1 to be terminated; i-4 to be running
   60.100  ec2/instance i-4: waits for vpc-1 to be on the host with eni-1
   60.100  ec2/network vpc-1: apply the network: 4 interfaces, 1 security groups, 3 subnets
   60.100  ec2/network vpc-1: waits for a change of its records
   60.110    web: 1 InService in us-east-1a, 1 InService in us-east-1c, 1 Pending in us-east-1b, 1 Terminating in us-east-1b
   60.110  > expect web in service 2
   60.110    web: 1 InService in us-east-1a, 1 InService in us-east-1c, 1 Pending in us-east-1b, 1 Terminating in us-east-1b
   60.110  > expect web in service 3 within 5 s
   60.120  ec2/instance i-1: Terminate
   60.120  ec2/instance i-1: RecordTerminated
   60.120  ec2/instance i-1: waits for the end of the hour in which terminated instances are shown (until 3660.120)
   60.120  ec2/network vpc-1: apply the network: 3 interfaces, 1 security groups, 3 subnets
   60.120  ec2/network vpc-1: waits for a change of its records
   60.120  autoscaling/group web: Finish { instance: "i-1" }
   60.120  autoscaling/group web: waits for i-4 to be running
   60.150  ec2/instance i-4: Launch
   60.150  ec2/instance i-4: RecordRunning { boots: 1 }
   60.150  ec2/instance i-4: waits for its machine to end, or a call
   60.150  autoscaling/group web: EnterService { instance: "i-4", register: [], leave_out: [] }
   60.210  so it is after 0.1 s
   60.210    activity of web: Successful: Terminating EC2 instance: i-1
   60.210      At 2026-01-01T00:01:00Z an instance was taken out of service in response to an EC2 health check indicating it has been terminated or stopped.
   60.210    activity of web: Successful: Launching a new EC2 instance: i-4
   60.210      At 2026-01-01T00:01:00Z an instance was launched in response to an unhealthy instance needing to be replaced.
   60.210    web: 1 InService in us-east-1a, 1 InService in us-east-1b, 1 InService in us-east-1c
   60.210  > settle
   95.210    web: 1 InService in us-east-1a, 1 InService in us-east-1b, 1 InService in us-east-1c
