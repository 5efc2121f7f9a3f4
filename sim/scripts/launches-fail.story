    0.000  > group web min 0 desired 0 max 4
    0.000    web: no instances
    0.000  > next 2 launches fail: the disk is busy
    0.000    web: no instances
    0.000  > desired web 1
    0.000    web: no instances
    0.000  > expect web in service 1 within 10 s
    0.000  autoscaling/group web: DecideLaunches { first: 1, places: [Place { zone: "us-east-1a", subnet: Some("subnet-1") }], cause: "At 2026-01-01T00:00:00Z a user request explicitly set group…
    0.000  autoscaling/group web: Launch { number: 1 }
    0.000  autoscaling/group web: ForgetReason
    0.000  autoscaling/group web: waits for i-1 to be running
    0.000  ec2/network vpc-1: apply the network: 1 interfaces, 1 security groups, 3 subnets
    0.000  ec2/network vpc-1: waits for a change of its records
    0.000  ec2/instance i-1: Launch
    0.000  ec2/instance i-1: waits for the next try, as it failed 1 times (until 0.200)
    0.000  ec2/dns vpc-1: Serve
    0.000  ec2/dns vpc-1: waits for a change of the VPC's network
    0.200  ec2/instance i-1: Launch
    0.200  ec2/instance i-1: waits for the next try, as it failed 2 times (until 0.600)
    0.650  ec2/instance i-1: Launch
    0.650  ec2/instance i-1: RecordRunning { boots: 1 }
    0.650  ec2/instance i-1: waits for its machine to end, or a call
    0.650  autoscaling/group web: EnterService { instance: "i-1", register: [], leave_out: [] }
    0.700  so it is after 0.7 s
    0.700    activity of web: Successful: Launching a new EC2 instance: i-1
    0.700      At 2026-01-01T00:00:00Z a user request explicitly set group desired capacity changing the desired capacity from 0 to 1.  At 2026-01-01T00:00:00Z an instance was started in response to a difference between desired and actual capacity, increasing the capacity from 0 to 1.
    0.700    web: 1 InService in us-east-1a
    0.700  > no room for 3 launches
    0.700    web: 1 InService in us-east-1a
    0.700  > desired web 2
    0.700    web: 1 InService in us-east-1a
    0.700  > expect web in service 2 within 2 min
    0.700  autoscaling/group web: DecideLaunches { first: 2, places: [Place { zone: "us-east-1b", subnet: Some("subnet-2") }], cause: "At 2026-01-01T00:00:00Z a user request explicitly set group…
    0.700  autoscaling/group web: Launch { number: 2 }
    0.700  autoscaling/group web: ForgetReason
    0.700  autoscaling/group web: waits for i-2 to be running
    0.700  ec2/network vpc-1: apply the network: 2 interfaces, 1 security groups, 3 subnets
    0.700  ec2/network vpc-1: waits for a change of its records
    0.700  ec2/instance i-2: Launch
    0.700  ec2/instance i-2: RecordTerminated
    0.700  ec2/instance i-2: waits for the end of the hour in which terminated instances are shown (until 3600.700)
    0.700  autoscaling/group web: FailLaunch { instance: "i-2", message: "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: Server.InsufficientIn…
    0.700  autoscaling/group web: Finish { instance: "i-2" }
    0.700  autoscaling/group web: DecideLaunches { first: 3, places: [Place { zone: "us-east-1c", subnet: Some("subnet-3") }], cause: "At 2026-01-01T00:00:00Z an instance was started in response…
    0.700  autoscaling/group web: Launch { number: 3 }
    0.700  autoscaling/group web: waits for i-3 to be running
    0.700  ec2/network vpc-1: apply the network: 2 interfaces, 1 security groups, 3 subnets
    0.700  ec2/network vpc-1: waits for a change of its records
    0.700  ec2/instance i-3: Launch
    0.700  ec2/instance i-3: RecordTerminated
    0.700  ec2/instance i-3: waits for the end of the hour in which terminated instances are shown (until 3600.700)
    0.700  autoscaling/group web: FailLaunch { instance: "i-3", message: "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: Server.InsufficientIn…
    0.700  autoscaling/group web: Finish { instance: "i-3" }
    0.700  autoscaling/group web: DecideLaunches { first: 4, places: [Place { zone: "us-east-1a", subnet: Some("subnet-1") }], cause: "At 2026-01-01T00:00:00Z an instance was started in response…
    0.700  autoscaling/group web: Launch { number: 4 }
    0.700  autoscaling/group web: waits for i-4 to be running
    0.700  ec2/network vpc-1: apply the network: 2 interfaces, 1 security groups, 3 subnets
    0.700  ec2/network vpc-1: waits for a change of its records
    0.700  ec2/instance i-4: Launch
    0.700  ec2/instance i-4: RecordTerminated
    0.700  ec2/instance i-4: waits for the end of the hour in which terminated instances are shown (until 3600.700)
    0.700  autoscaling/group web: FailLaunch { instance: "i-4", message: "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: Server.InsufficientIn…
    0.700  autoscaling/group web: Finish { instance: "i-4" }
    0.700  autoscaling/group web: waits for another try to launch after a failed one (until 1.700)
    0.700  ec2/network vpc-1: apply the network: 1 interfaces, 1 security groups, 3 subnets
    0.700  ec2/network vpc-1: waits for a change of its records
    1.700  autoscaling/group web: DecideLaunches { first: 5, places: [Place { zone: "us-east-1b", subnet: Some("subnet-2") }], cause: "At 2026-01-01T00:00:01Z an instance was started in response…
    1.700  autoscaling/group web: Launch { number: 5 }
    1.700  autoscaling/group web: waits for i-5 to be running
    1.700  ec2/network vpc-1: apply the network: 2 interfaces, 1 security groups, 3 subnets
    1.700  ec2/network vpc-1: waits for a change of its records
    1.750  ec2/instance i-5: Launch
    1.750  ec2/instance i-5: RecordRunning { boots: 1 }
    1.750  ec2/instance i-5: waits for its machine to end, or a call
    1.750  autoscaling/group web: EnterService { instance: "i-5", register: [], leave_out: [] }
    1.800  so it is after 1.1 s
    1.800    activity of web: Cancelled: Launching a new EC2 instance: i-2.  Status Reason: Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: Server.InsufficientInstanceCapacity: not enough capacity on this host: no memory is left
    1.800      At 2026-01-01T00:00:00Z a user request explicitly set group desired capacity changing the desired capacity from 1 to 2.  At 2026-01-01T00:00:00Z an instance was started in response to a difference between desired and actual capacity, increasing the capacity from 1 to 2.
    1.800    activity of web: Cancelled: Launching a new EC2 instance: i-3.  Status Reason: Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: Server.InsufficientInstanceCapacity: not enough capacity on this host: no memory is left
    1.800      At 2026-01-01T00:00:00Z an instance was started in response to a difference between desired and actual capacity, increasing the capacity from 1 to 2.
    1.800    activity of web: Cancelled: Launching a new EC2 instance: i-4.  Status Reason: Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: Server.InsufficientInstanceCapacity: not enough capacity on this host: no memory is left
    1.800      At 2026-01-01T00:00:00Z an instance was started in response to a difference between desired and actual capacity, increasing the capacity from 1 to 2.
    1.800    activity of web: Successful: Terminating EC2 instance: i-2
    1.800      At 2026-01-01T00:00:00Z an instance was taken out of service in response to an EC2 health check indicating it has been terminated or stopped.
    1.800    activity of web: Successful: Terminating EC2 instance: i-3
    1.800      At 2026-01-01T00:00:00Z an instance was taken out of service in response to an EC2 health check indicating it has been terminated or stopped.
    1.800    activity of web: Successful: Terminating EC2 instance: i-4
    1.800      At 2026-01-01T00:00:00Z an instance was taken out of service in response to an EC2 health check indicating it has been terminated or stopped.
    1.800    activity of web: Successful: Launching a new EC2 instance: i-5
    1.800      At 2026-01-01T00:00:01Z an instance was started in response to a difference between desired and actual capacity, increasing the capacity from 1 to 2.
    1.800    web: 1 InService in us-east-1a, 1 InService in us-east-1b
    1.800  > settle
   36.800    web: 1 InService in us-east-1a, 1 InService in us-east-1b
