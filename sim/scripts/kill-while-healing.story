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
    0.100  > kill one of web
    0.100  fate: i-1 is killed
    0.100    web: 1 InService in us-east-1a, 1 InService in us-east-1b, 1 InService in us-east-1c
    0.100  > tick 0.04 s
    0.100  ec2/instance i-1: RecordExit(ExitInfo { cause: Signalled { signal: 9 }, at_ms: 1767225600100, text: "its first process was ended by signal 9 (SIGKILL)" })
    0.100  ec2/instance i-1: waits for a call to start or terminate it
    0.100  ec2/network vpc-1: apply the network: 3 interfaces, 1 security groups, 3 subnets
    0.100  ec2/network vpc-1: waits for a change of its records
    0.100  autoscaling/group web: BeginTermination { instance: "i-1", why: Some(Ec2), cause: "At 2026-01-01T00:00:00Z an instance was taken out of service in response to an EC2 health check indi…
    0.100  autoscaling/group web: DecideLaunches { first: 4, places: [Place { zone: "us-east-1b", subnet: Some("subnet-2") }], cause: "At 2026-01-01T00:00:00Z an instance was launched in respons…
    0.100  autoscaling/group web: Terminate { instance: "i-1" }
    0.100  autoscaling/group web: Launch { number: 4 }
    0.100  autoscaling/group web: waits for i-1 to be terminated; i-4 to be running
    0.100  ec2/instance i-4: waits for vpc-1 to be on the host with eni-1
    0.100  ec2/network vpc-1: apply the network: 4 interfaces, 1 security groups, 3 subnets
    0.100  ec2/network vpc-1: waits for a change of its records
    0.120  ec2/instance i-1: Terminate
    0.120  ec2/instance i-1: RecordTerminated
    0.120  ec2/instance i-1: waits for the end of the hour in which terminated instances are shown (until 3600.120)
    0.120  ec2/network vpc-1: apply the network: 3 interfaces, 1 security groups, 3 subnets
    0.120  ec2/network vpc-1: waits for a change of its records
    0.120  autoscaling/group web: Finish { instance: "i-1" }
    0.120  autoscaling/group web: waits for i-4 to be running
    0.140    activity of web: Successful: Terminating EC2 instance: i-1
    0.140      At 2026-01-01T00:00:00Z an instance was taken out of service in response to an EC2 health check indicating it has been terminated or stopped.
    0.140    web: 1 InService in us-east-1a, 1 InService in us-east-1c, 1 Pending in us-east-1b
    0.140  > kill all of web
    0.140  fate: i-2 is killed
    0.140  fate: i-3 is killed
    0.140    web: 1 InService in us-east-1a, 1 InService in us-east-1c, 1 Pending in us-east-1b
    0.140  > expect web in service 3 within 10 s
    0.140  ec2/instance i-2: RecordExit(ExitInfo { cause: Signalled { signal: 9 }, at_ms: 1767225600140, text: "its first process was ended by signal 9 (SIGKILL)" })
    0.140  ec2/instance i-2: waits for a call to start or terminate it
    0.140  ec2/instance i-3: RecordExit(ExitInfo { cause: Signalled { signal: 9 }, at_ms: 1767225600140, text: "its first process was ended by signal 9 (SIGKILL)" })
    0.140  ec2/instance i-3: waits for a call to start or terminate it
    0.140  ec2/network vpc-1: apply the network: 3 interfaces, 1 security groups, 3 subnets
    0.140  ec2/network vpc-1: waits for a change of its records
    0.140  autoscaling/group web: BeginTermination { instance: "i-2", why: Some(Ec2), cause: "At 2026-01-01T00:00:00Z an instance was taken out of service in response to an EC2 health check indi…
    0.140  autoscaling/group web: BeginTermination { instance: "i-3", why: Some(Ec2), cause: "At 2026-01-01T00:00:00Z an instance was taken out of service in response to an EC2 health check indi…
    0.140  autoscaling/group web: DecideLaunches { first: 5, places: [Place { zone: "us-east-1a", subnet: Some("subnet-1") }, Place { zone: "us-east-1c", subnet: Some("subnet-3") }], cause: "At …
    0.140  autoscaling/group web: Terminate { instance: "i-2" }
    0.140  autoscaling/group web: Terminate { instance: "i-3" }
    0.140  autoscaling/group web: Launch { number: 5 }
    0.140  autoscaling/group web: Launch { number: 6 }
    0.140  autoscaling/group web: waits for i-4 to be running; i-5 to be running; i-2 to be terminated; i-6 to be running; i-3 to be terminated
    0.140  ec2/instance i-5: waits for vpc-1 to be on the host with eni-2
    0.140  ec2/instance i-6: waits for vpc-1 to be on the host with eni-3
    0.140  ec2/network vpc-1: apply the network: 5 interfaces, 1 security groups, 3 subnets
    0.140  ec2/network vpc-1: waits for a change of its records
    0.150  ec2/instance i-4: Launch
    0.150  ec2/instance i-4: RecordRunning { boots: 1 }
    0.150  ec2/instance i-4: waits for its machine to end, or a call
    0.150  autoscaling/group web: EnterService { instance: "i-4", register: [], leave_out: [] }
    0.150  autoscaling/group web: waits for i-5 to be running; i-2 to be terminated; i-6 to be running; i-3 to be terminated
    0.160  ec2/instance i-3: Terminate
    0.160  ec2/instance i-3: RecordTerminated
    0.160  ec2/instance i-3: waits for the end of the hour in which terminated instances are shown (until 3600.160)
    0.160  ec2/instance i-2: Terminate
    0.160  ec2/instance i-2: RecordTerminated
    0.160  ec2/instance i-2: waits for the end of the hour in which terminated instances are shown (until 3600.160)
    0.160  ec2/network vpc-1: apply the network: 3 interfaces, 1 security groups, 3 subnets
    0.160  ec2/network vpc-1: waits for a change of its records
    0.160  autoscaling/group web: Finish { instance: "i-2" }
    0.160  autoscaling/group web: Finish { instance: "i-3" }
    0.160  autoscaling/group web: waits for i-5 to be running; i-6 to be running
    0.190  ec2/instance i-5: Launch
    0.190  ec2/instance i-5: RecordRunning { boots: 1 }
    0.190  ec2/instance i-5: waits for its machine to end, or a call
    0.190  ec2/instance i-6: Launch
    0.190  ec2/instance i-6: RecordRunning { boots: 1 }
    0.190  ec2/instance i-6: waits for its machine to end, or a call
    0.190  autoscaling/group web: EnterService { instance: "i-5", register: [], leave_out: [] }
    0.190  autoscaling/group web: EnterService { instance: "i-6", register: [], leave_out: [] }
    0.240  so it is after 0.1 s
    0.240    activity of web: Successful: Launching a new EC2 instance: i-4
    0.240      At 2026-01-01T00:00:00Z an instance was launched in response to an unhealthy instance needing to be replaced.
    0.240    activity of web: Successful: Terminating EC2 instance: i-2
    0.240      At 2026-01-01T00:00:00Z an instance was taken out of service in response to an EC2 health check indicating it has been terminated or stopped.
    0.240    activity of web: Successful: Terminating EC2 instance: i-3
    0.240      At 2026-01-01T00:00:00Z an instance was taken out of service in response to an EC2 health check indicating it has been terminated or stopped.
    0.240    activity of web: Successful: Launching a new EC2 instance: i-5
    0.240      At 2026-01-01T00:00:00Z an instance was launched in response to an unhealthy instance needing to be replaced.
    0.240    activity of web: Successful: Launching a new EC2 instance: i-6
    0.240      At 2026-01-01T00:00:00Z an instance was launched in response to an unhealthy instance needing to be replaced.
    0.240    web: 1 InService in us-east-1a, 1 InService in us-east-1b, 1 InService in us-east-1c
    0.240  > settle
   35.240    web: 1 InService in us-east-1a, 1 InService in us-east-1b, 1 InService in us-east-1c
   35.240  > expect web in service 3
   35.240    web: 1 InService in us-east-1a, 1 InService in us-east-1b, 1 InService in us-east-1c
