    0.000  > group web min 3 desired 6 max 9
    0.000    web: no instances
    0.000  > expect web in service 6 within 10 s
    0.000  autoscaling/group web: DecideLaunches { first: 1, places: [Place { zone: "us-east-1a", subnet: Some("subnet-1") }, Place { zone: "us-east-1b", subnet: Some("subnet-2") }, Place { zone…
    0.000  autoscaling/group web: Launch { number: 1 }
    0.000  autoscaling/group web: Launch { number: 2 }
    0.000  autoscaling/group web: Launch { number: 3 }
    0.000  autoscaling/group web: Launch { number: 4 }
    0.000  autoscaling/group web: Launch { number: 5 }
    0.000  autoscaling/group web: Launch { number: 6 }
    0.000  autoscaling/group web: ForgetReason
    0.000  autoscaling/group web: waits for i-1 to be running; i-2 to be running; i-3 to be running; i-4 to be running; i-5 to be running; i-6 to be running
    0.000  ec2/network vpc-1: apply the network: 6 interfaces, 1 security groups, 3 subnets
    0.000  ec2/network vpc-1: waits for a change of its records
    0.000  ec2/dns vpc-1: Serve
    0.000  ec2/dns vpc-1: waits for a change of the VPC's network
    0.050  ec2/instance i-4: Launch
    0.050  ec2/instance i-4: RecordRunning { boots: 1 }
    0.050  ec2/instance i-4: waits for its machine to end, or a call
    0.050  ec2/instance i-1: Launch
    0.050  ec2/instance i-1: RecordRunning { boots: 1 }
    0.050  ec2/instance i-1: waits for its machine to end, or a call
    0.050  ec2/instance i-3: Launch
    0.050  ec2/instance i-3: RecordRunning { boots: 1 }
    0.050  ec2/instance i-3: waits for its machine to end, or a call
    0.050  ec2/instance i-2: Launch
    0.050  ec2/instance i-2: RecordRunning { boots: 1 }
    0.050  ec2/instance i-2: waits for its machine to end, or a call
    0.050  ec2/instance i-6: Launch
    0.050  ec2/instance i-6: RecordRunning { boots: 1 }
    0.050  ec2/instance i-6: waits for its machine to end, or a call
    0.050  ec2/instance i-5: Launch
    0.050  ec2/instance i-5: RecordRunning { boots: 1 }
    0.050  ec2/instance i-5: waits for its machine to end, or a call
    0.050  autoscaling/group web: EnterService { instance: "i-1", register: [], leave_out: [] }
    0.050  autoscaling/group web: EnterService { instance: "i-2", register: [], leave_out: [] }
    0.050  autoscaling/group web: EnterService { instance: "i-3", register: [], leave_out: [] }
    0.050  autoscaling/group web: EnterService { instance: "i-4", register: [], leave_out: [] }
    0.050  autoscaling/group web: EnterService { instance: "i-5", register: [], leave_out: [] }
    0.050  autoscaling/group web: EnterService { instance: "i-6", register: [], leave_out: [] }
    0.100  so it is after 0.1 s
    0.100    activity of web: Successful: Launching a new EC2 instance: i-1
    0.100      At 2026-01-01T00:00:00Z a user request created an AutoScalingGroup changing the desired capacity from 0 to 6.  At 2026-01-01T00:00:00Z an instance was started in response to a difference between desired and actual capacity, increasing the capacity from 0 to 6.
    0.100    activity of web: Successful: Launching a new EC2 instance: i-2
    0.100      At 2026-01-01T00:00:00Z a user request created an AutoScalingGroup changing the desired capacity from 0 to 6.  At 2026-01-01T00:00:00Z an instance was started in response to a difference between desired and actual capacity, increasing the capacity from 0 to 6.
    0.100    activity of web: Successful: Launching a new EC2 instance: i-3
    0.100      At 2026-01-01T00:00:00Z a user request created an AutoScalingGroup changing the desired capacity from 0 to 6.  At 2026-01-01T00:00:00Z an instance was started in response to a difference between desired and actual capacity, increasing the capacity from 0 to 6.
    0.100    activity of web: Successful: Launching a new EC2 instance: i-4
    0.100      At 2026-01-01T00:00:00Z a user request created an AutoScalingGroup changing the desired capacity from 0 to 6.  At 2026-01-01T00:00:00Z an instance was started in response to a difference between desired and actual capacity, increasing the capacity from 0 to 6.
    0.100    activity of web: Successful: Launching a new EC2 instance: i-5
    0.100      At 2026-01-01T00:00:00Z a user request created an AutoScalingGroup changing the desired capacity from 0 to 6.  At 2026-01-01T00:00:00Z an instance was started in response to a difference between desired and actual capacity, increasing the capacity from 0 to 6.
    0.100    activity of web: Successful: Launching a new EC2 instance: i-6
    0.100      At 2026-01-01T00:00:00Z a user request created an AutoScalingGroup changing the desired capacity from 0 to 6.  At 2026-01-01T00:00:00Z an instance was started in response to a difference between desired and actual capacity, increasing the capacity from 0 to 6.
    0.100    web: 2 InService in us-east-1a, 2 InService in us-east-1b, 2 InService in us-east-1c
    0.100  > expect web in service 2 in us-east-1a
    0.100    web: 2 InService in us-east-1a, 2 InService in us-east-1b, 2 InService in us-east-1c
    0.100  > az us-east-1a down
    0.100    web: 2 InService in us-east-1a, 2 InService in us-east-1b, 2 InService in us-east-1c
    0.100  > tick 5 min
    0.100  ec2/instance i-2: RecordExit(ExitInfo { cause: Unknown, at_ms: 1767225600100, text: "zone us-east-1a lost its power" })
    0.100  ec2/instance i-2: waits for a call to start or terminate it
    0.100  ec2/instance i-4: RecordExit(ExitInfo { cause: Unknown, at_ms: 1767225600100, text: "zone us-east-1a lost its power" })
    0.100  ec2/instance i-4: waits for a call to start or terminate it
    0.100  ec2/network vpc-1: apply the network: 6 interfaces, 1 security groups, 3 subnets
    0.100  ec2/network vpc-1: waits for a change of its records
    0.100  autoscaling/group web: BeginTermination { instance: "i-2", why: Some(Ec2), cause: "At 2026-01-01T00:00:00Z an instance was taken out of service in response to an EC2 health check indi…
    0.100  autoscaling/group web: BeginTermination { instance: "i-4", why: Some(Ec2), cause: "At 2026-01-01T00:00:00Z an instance was taken out of service in response to an EC2 health check indi…
    0.100  autoscaling/group web: DecideLaunches { first: 7, places: [Place { zone: "us-east-1a", subnet: Some("subnet-1") }, Place { zone: "us-east-1a", subnet: Some("subnet-1") }], cause: "At …
    0.100  autoscaling/group web: Terminate { instance: "i-2" }
    0.100  autoscaling/group web: Terminate { instance: "i-4" }
    0.100  autoscaling/group web: Launch { number: 7 }
    0.100  autoscaling/group web: Launch { number: 8 }
    0.100  autoscaling/group web: waits for i-7 to be running; i-2 to be terminated; i-8 to be running; i-4 to be terminated
    0.100  ec2/instance i-7: waits for vpc-1 to be on the host with eni-1
    0.100  ec2/instance i-8: waits for vpc-1 to be on the host with eni-2
    0.100  ec2/network vpc-1: apply the network: 8 interfaces, 1 security groups, 3 subnets
    0.100  ec2/network vpc-1: waits for a change of its records
    0.100  ec2/instance i-7: Launch
    0.100  ec2/instance i-7: RecordTerminated
    0.100  ec2/instance i-7: waits for the end of the hour in which terminated instances are shown (until 3600.100)
    0.100  ec2/instance i-8: Launch
    0.100  ec2/instance i-8: RecordTerminated
    0.100  ec2/instance i-8: waits for the end of the hour in which terminated instances are shown (until 3600.100)
    0.100  autoscaling/group web: FailLaunch { instance: "i-7", message: "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: Server.InsufficientIn…
    0.100  autoscaling/group web: FailLaunch { instance: "i-8", message: "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: Server.InsufficientIn…
    0.100  autoscaling/group web: Finish { instance: "i-7" }
    0.100  autoscaling/group web: Finish { instance: "i-8" }
    0.100  autoscaling/group web: DecideLaunches { first: 9, places: [Place { zone: "us-east-1b", subnet: Some("subnet-2") }, Place { zone: "us-east-1c", subnet: Some("subnet-3") }], cause: "At …
    0.100  autoscaling/group web: Launch { number: 9 }
    0.100  autoscaling/group web: Launch { number: 10 }
    0.100  autoscaling/group web: waits for i-9 to be running; i-2 to be terminated; i-10 to be running; i-4 to be terminated
    0.100  ec2/network vpc-1: apply the network: 8 interfaces, 1 security groups, 3 subnets
    0.100  ec2/network vpc-1: waits for a change of its records
    0.120  ec2/instance i-4: Terminate
    0.120  ec2/instance i-4: RecordTerminated
    0.120  ec2/instance i-4: waits for the end of the hour in which terminated instances are shown (until 3600.120)
    0.120  ec2/instance i-2: Terminate
    0.120  ec2/instance i-2: RecordTerminated
    0.120  ec2/instance i-2: waits for the end of the hour in which terminated instances are shown (until 3600.120)
    0.120  ec2/network vpc-1: apply the network: 6 interfaces, 1 security groups, 3 subnets
    0.120  ec2/network vpc-1: waits for a change of its records
    0.120  autoscaling/group web: Finish { instance: "i-2" }
    0.120  autoscaling/group web: Finish { instance: "i-4" }
    0.120  autoscaling/group web: waits for i-9 to be running; i-10 to be running
    0.150  ec2/instance i-9: Launch
    0.150  ec2/instance i-9: RecordRunning { boots: 1 }
    0.150  ec2/instance i-9: waits for its machine to end, or a call
    0.150  ec2/instance i-10: Launch
    0.150  ec2/instance i-10: RecordRunning { boots: 1 }
    0.150  ec2/instance i-10: waits for its machine to end, or a call
    0.150  autoscaling/group web: EnterService { instance: "i-9", register: [], leave_out: [] }
    0.150  autoscaling/group web: EnterService { instance: "i-10", register: [], leave_out: [] }
    0.150  autoscaling/group web: waits for another try to launch in us-east-1a after a failed one (until 10.100)
   10.100  autoscaling/group web: DecideLaunches { first: 11, places: [Place { zone: "us-east-1a", subnet: Some("subnet-1") }], cause: "At 2026-01-01T00:00:10Z instances were launched to balance…
   10.100  autoscaling/group web: Launch { number: 11 }
   10.100  autoscaling/group web: waits for i-11 to be running
   10.100  ec2/network vpc-1: apply the network: 7 interfaces, 1 security groups, 3 subnets
   10.100  ec2/network vpc-1: waits for a change of its records
   10.100  ec2/instance i-11: Launch
   10.100  ec2/instance i-11: RecordTerminated
   10.100  ec2/instance i-11: waits for the end of the hour in which terminated instances are shown (until 3610.100)
   10.100  autoscaling/group web: FailLaunch { instance: "i-11", message: "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: Server.InsufficientI…
   10.100  autoscaling/group web: Finish { instance: "i-11" }
   10.100  autoscaling/group web: waits for another try to launch in us-east-1a after a failed one (until 30.100)
   10.100  ec2/network vpc-1: apply the network: 6 interfaces, 1 security groups, 3 subnets
   10.100  ec2/network vpc-1: waits for a change of its records
   30.100  autoscaling/group web: DecideLaunches { first: 12, places: [Place { zone: "us-east-1a", subnet: Some("subnet-1") }], cause: "At 2026-01-01T00:00:30Z instances were launched to balance…
   30.100  autoscaling/group web: Launch { number: 12 }
   30.100  autoscaling/group web: waits for i-12 to be running
   30.100  ec2/network vpc-1: apply the network: 7 interfaces, 1 security groups, 3 subnets
   30.100  ec2/network vpc-1: waits for a change of its records
   30.100  ec2/instance i-12: Launch
   30.100  ec2/instance i-12: RecordTerminated
   30.100  ec2/instance i-12: waits for the end of the hour in which terminated instances are shown (until 3630.100)
   30.100  autoscaling/group web: FailLaunch { instance: "i-12", message: "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: Server.InsufficientI…
   30.100  autoscaling/group web: Finish { instance: "i-12" }
   30.100  autoscaling/group web: waits for another try to launch in us-east-1a after a failed one (until 70.100)
   30.100  ec2/network vpc-1: apply the network: 6 interfaces, 1 security groups, 3 subnets
   30.100  ec2/network vpc-1: waits for a change of its records
   70.100  autoscaling/group web: DecideLaunches { first: 13, places: [Place { zone: "us-east-1a", subnet: Some("subnet-1") }], cause: "At 2026-01-01T00:01:10Z instances were launched to balance…
   70.100  autoscaling/group web: Launch { number: 13 }
   70.100  autoscaling/group web: waits for i-13 to be running
   70.100  ec2/network vpc-1: apply the network: 7 interfaces, 1 security groups, 3 subnets
   70.100  ec2/network vpc-1: waits for a change of its records
   70.100  ec2/instance i-13: Launch
   70.100  ec2/instance i-13: RecordTerminated
   70.100  ec2/instance i-13: waits for the end of the hour in which terminated instances are shown (until 3670.100)
   70.100  autoscaling/group web: FailLaunch { instance: "i-13", message: "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: Server.InsufficientI…
   70.100  autoscaling/group web: Finish { instance: "i-13" }
   70.100  autoscaling/group web: waits for another try to launch in us-east-1a after a failed one (until 150.100)
   70.100  ec2/network vpc-1: apply the network: 6 interfaces, 1 security groups, 3 subnets
   70.100  ec2/network vpc-1: waits for a change of its records
  150.100  autoscaling/group web: DecideLaunches { first: 14, places: [Place { zone: "us-east-1a", subnet: Some("subnet-1") }], cause: "At 2026-01-01T00:02:30Z instances were launched to balance…
  150.100  autoscaling/group web: Launch { number: 14 }
  150.100  autoscaling/group web: waits for i-14 to be running
  150.100  ec2/network vpc-1: apply the network: 7 interfaces, 1 security groups, 3 subnets
  150.100  ec2/network vpc-1: waits for a change of its records
  150.100  ec2/instance i-14: Launch
  150.100  ec2/instance i-14: RecordTerminated
  150.100  ec2/instance i-14: waits for the end of the hour in which terminated instances are shown (until 3750.100)
  150.100  autoscaling/group web: FailLaunch { instance: "i-14", message: "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: Server.InsufficientI…
  150.100  autoscaling/group web: Finish { instance: "i-14" }
  150.100  autoscaling/group web: waits for another try to launch in us-east-1a after a failed one (until 310.100)
  150.100  ec2/network vpc-1: apply the network: 6 interfaces, 1 security groups, 3 subnets
  150.100  ec2/network vpc-1: waits for a change of its records
  300.100    activity of web: Cancelled: Launching a new EC2 instance: i-7.  Status Reason: Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: Server.InsufficientInstanceCapacity: not enough capacity on this host: zone us-east-1a has no power
  300.100      At 2026-01-01T00:00:00Z an instance was launched in response to an unhealthy instance needing to be replaced.
  300.100    activity of web: Cancelled: Launching a new EC2 instance: i-8.  Status Reason: Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: Server.InsufficientInstanceCapacity: not enough capacity on this host: zone us-east-1a has no power
  300.100      At 2026-01-01T00:00:00Z an instance was launched in response to an unhealthy instance needing to be replaced.
  300.100    activity of web: Successful: Terminating EC2 instance: i-7
  300.100      At 2026-01-01T00:00:00Z an instance was taken out of service in response to an EC2 health check indicating it has been terminated or stopped.
  300.100    activity of web: Successful: Terminating EC2 instance: i-8
  300.100      At 2026-01-01T00:00:00Z an instance was taken out of service in response to an EC2 health check indicating it has been terminated or stopped.
  300.100    activity of web: Successful: Terminating EC2 instance: i-2
  300.100      At 2026-01-01T00:00:00Z an instance was taken out of service in response to an EC2 health check indicating it has been terminated or stopped.
  300.100    activity of web: Successful: Terminating EC2 instance: i-4
  300.100      At 2026-01-01T00:00:00Z an instance was taken out of service in response to an EC2 health check indicating it has been terminated or stopped.
  300.100    activity of web: Successful: Launching a new EC2 instance: i-10
  300.100      At 2026-01-01T00:00:00Z an instance was started in response to a difference between desired and actual capacity, increasing the capacity from 4 to 6.
  300.100    activity of web: Successful: Launching a new EC2 instance: i-9
  300.100      At 2026-01-01T00:00:00Z an instance was started in response to a difference between desired and actual capacity, increasing the capacity from 4 to 6.
  300.100    activity of web: Cancelled: Launching a new EC2 instance: i-11.  Status Reason: Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: Server.InsufficientInstanceCapacity: not enough capacity on this host: zone us-east-1a has no power
  300.100      At 2026-01-01T00:00:10Z instances were launched to balance instances in zones us-east-1a with other zones resulting in more than desired number of instances in the group.
  300.100    activity of web: Successful: Terminating EC2 instance: i-11
  300.100      At 2026-01-01T00:00:10Z an instance was taken out of service in response to an EC2 health check indicating it has been terminated or stopped.
  300.100    activity of web: Cancelled: Launching a new EC2 instance: i-12.  Status Reason: Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: Server.InsufficientInstanceCapacity: not enough capacity on this host: zone us-east-1a has no power
  300.100      At 2026-01-01T00:00:30Z instances were launched to balance instances in zones us-east-1a with other zones resulting in more than desired number of instances in the group.
  300.100    activity of web: Successful: Terminating EC2 instance: i-12
  300.100      At 2026-01-01T00:00:30Z an instance was taken out of service in response to an EC2 health check indicating it has been terminated or stopped.
  300.100    activity of web: Cancelled: Launching a new EC2 instance: i-13.  Status Reason: Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: Server.InsufficientInstanceCapacity: not enough capacity on this host: zone us-east-1a has no power
  300.100      At 2026-01-01T00:01:10Z instances were launched to balance instances in zones us-east-1a with other zones resulting in more than desired number of instances in the group.
  300.100    activity of web: Successful: Terminating EC2 instance: i-13
  300.100      At 2026-01-01T00:01:10Z an instance was taken out of service in response to an EC2 health check indicating it has been terminated or stopped.
  300.100    activity of web: Cancelled: Launching a new EC2 instance: i-14.  Status Reason: Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: Server.InsufficientInstanceCapacity: not enough capacity on this host: zone us-east-1a has no power
  300.100      At 2026-01-01T00:02:30Z instances were launched to balance instances in zones us-east-1a with other zones resulting in more than desired number of instances in the group.
  300.100    activity of web: Successful: Terminating EC2 instance: i-14
  300.100      At 2026-01-01T00:02:30Z an instance was taken out of service in response to an EC2 health check indicating it has been terminated or stopped.
  300.100    web: 3 InService in us-east-1b, 3 InService in us-east-1c
  300.100  > expect web in service 6
  300.100    web: 3 InService in us-east-1b, 3 InService in us-east-1c
  300.100  > expect web in service 0 in us-east-1a
  300.100    web: 3 InService in us-east-1b, 3 InService in us-east-1c
  300.100  > az us-east-1a up
  300.100    web: 3 InService in us-east-1b, 3 InService in us-east-1c
  300.100  > tick 30 min
  310.100  autoscaling/group web: DecideLaunches { first: 15, places: [Place { zone: "us-east-1a", subnet: Some("subnet-1") }], cause: "At 2026-01-01T00:05:10Z instances were launched to balance…
  310.100  autoscaling/group web: Launch { number: 15 }
  310.100  autoscaling/group web: waits for i-15 to be running
  310.100  ec2/network vpc-1: apply the network: 7 interfaces, 1 security groups, 3 subnets
  310.100  ec2/network vpc-1: waits for a change of its records
  310.150  ec2/instance i-15: Launch
  310.150  ec2/instance i-15: RecordRunning { boots: 1 }
  310.150  ec2/instance i-15: waits for its machine to end, or a call
  310.150  autoscaling/group web: EnterService { instance: "i-15", register: [], leave_out: [] }
  310.150  autoscaling/group web: BeginTermination { instance: "i-1", why: None, cause: "At 2026-01-01T00:05:10Z an instance was taken out of service in response to a difference between desired …
  310.150  autoscaling/group web: Terminate { instance: "i-1" }
  310.150  autoscaling/group web: waits for i-1 to be terminated
  310.190  ec2/instance i-1: Terminate
  310.190  ec2/instance i-1: RecordTerminated
  310.190  ec2/instance i-1: waits for the end of the hour in which terminated instances are shown (until 3910.190)
  310.190  ec2/network vpc-1: apply the network: 6 interfaces, 1 security groups, 3 subnets
  310.190  ec2/network vpc-1: waits for a change of its records
  310.190  autoscaling/group web: Finish { instance: "i-1" }
  310.190  autoscaling/group web: DecideLaunches { first: 16, places: [Place { zone: "us-east-1a", subnet: Some("subnet-1") }], cause: "At 2026-01-01T00:05:10Z instances were launched to balance…
  310.190  autoscaling/group web: Launch { number: 16 }
  310.190  autoscaling/group web: waits for i-16 to be running
  310.190  ec2/instance i-16: waits for vpc-1 to be on the host with eni-3
  310.190  ec2/network vpc-1: apply the network: 7 interfaces, 1 security groups, 3 subnets
  310.190  ec2/network vpc-1: waits for a change of its records
  310.240  ec2/instance i-16: Launch
  310.240  ec2/instance i-16: RecordRunning { boots: 1 }
  310.240  ec2/instance i-16: waits for its machine to end, or a call
  310.240  autoscaling/group web: EnterService { instance: "i-16", register: [], leave_out: [] }
  310.240  autoscaling/group web: BeginTermination { instance: "i-3", why: None, cause: "At 2026-01-01T00:05:10Z an instance was taken out of service in response to a difference between desired …
  310.240  autoscaling/group web: Terminate { instance: "i-3" }
  310.240  autoscaling/group web: waits for i-3 to be terminated
  310.280  ec2/instance i-3: Terminate
  310.280  ec2/instance i-3: RecordTerminated
  310.280  ec2/instance i-3: waits for the end of the hour in which terminated instances are shown (until 3910.280)
  310.280  ec2/network vpc-1: apply the network: 6 interfaces, 1 security groups, 3 subnets
  310.280  ec2/network vpc-1: waits for a change of its records
  310.280  autoscaling/group web: Finish { instance: "i-3" }
 2100.100    activity of web: Successful: Launching a new EC2 instance: i-15
 2100.100      At 2026-01-01T00:05:10Z instances were launched to balance instances in zones us-east-1a with other zones resulting in more than desired number of instances in the group.
 2100.100    activity of web: Successful: Terminating EC2 instance: i-1
 2100.100      At 2026-01-01T00:05:10Z an instance was taken out of service in response to a difference between desired and actual capacity, shrinking the capacity from 7 to 6.  At 2026-01-01T00:05:10Z instance i-1 was selected for termination.
 2100.100    activity of web: Successful: Launching a new EC2 instance: i-16
 2100.100      At 2026-01-01T00:05:10Z instances were launched to balance instances in zones us-east-1a with other zones resulting in more than desired number of instances in the group.
 2100.100    activity of web: Successful: Terminating EC2 instance: i-3
 2100.100      At 2026-01-01T00:05:10Z an instance was taken out of service in response to a difference between desired and actual capacity, shrinking the capacity from 7 to 6.  At 2026-01-01T00:05:10Z instance i-3 was selected for termination.
 2100.100    web: 2 InService in us-east-1a, 2 InService in us-east-1b, 2 InService in us-east-1c
 2100.100  > expect web in service 6
 2100.100    web: 2 InService in us-east-1a, 2 InService in us-east-1b, 2 InService in us-east-1c
 2100.100  > expect web in service 2 in us-east-1a
 2100.100    web: 2 InService in us-east-1a, 2 InService in us-east-1b, 2 InService in us-east-1c
