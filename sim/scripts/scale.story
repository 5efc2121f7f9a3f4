    0.000  > group web min 1 desired 2 max 6
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
    0.100  > desired web 5
    0.100    web: 1 InService in us-east-1a, 1 InService in us-east-1b
    0.100  > expect web in service 5 within 10 s
    0.100  autoscaling/group web: DecideLaunches { first: 3, places: [Place { zone: "us-east-1c", subnet: Some("subnet-3") }, Place { zone: "us-east-1a", subnet: Some("subnet-1") }, Place { zone…
    0.100  autoscaling/group web: Launch { number: 3 }
    0.100  autoscaling/group web: Launch { number: 4 }
    0.100  autoscaling/group web: Launch { number: 5 }
    0.100  autoscaling/group web: ForgetReason
    0.100  autoscaling/group web: waits for i-3 to be running; i-4 to be running; i-5 to be running
    0.100  ec2/network vpc-1: apply the network: 5 interfaces, 1 security groups, 3 subnets
    0.100  ec2/network vpc-1: waits for a change of its records
    0.150  ec2/instance i-5: Launch
    0.150  ec2/instance i-5: RecordRunning { boots: 1 }
    0.150  ec2/instance i-5: waits for its machine to end, or a call
    0.150  ec2/instance i-4: Launch
    0.150  ec2/instance i-4: RecordRunning { boots: 1 }
    0.150  ec2/instance i-4: waits for its machine to end, or a call
    0.150  ec2/instance i-3: Launch
    0.150  ec2/instance i-3: RecordRunning { boots: 1 }
    0.150  ec2/instance i-3: waits for its machine to end, or a call
    0.150  autoscaling/group web: EnterService { instance: "i-3", register: [], leave_out: [] }
    0.150  autoscaling/group web: EnterService { instance: "i-4", register: [], leave_out: [] }
    0.150  autoscaling/group web: EnterService { instance: "i-5", register: [], leave_out: [] }
    0.200  so it is after 0.1 s
    0.200    activity of web: Successful: Launching a new EC2 instance: i-3
    0.200      At 2026-01-01T00:00:00Z a user request explicitly set group desired capacity changing the desired capacity from 2 to 5.  At 2026-01-01T00:00:00Z an instance was started in response to a difference between desired and actual capacity, increasing the capacity from 2 to 5.
    0.200    activity of web: Successful: Launching a new EC2 instance: i-4
    0.200      At 2026-01-01T00:00:00Z a user request explicitly set group desired capacity changing the desired capacity from 2 to 5.  At 2026-01-01T00:00:00Z an instance was started in response to a difference between desired and actual capacity, increasing the capacity from 2 to 5.
    0.200    activity of web: Successful: Launching a new EC2 instance: i-5
    0.200      At 2026-01-01T00:00:00Z a user request explicitly set group desired capacity changing the desired capacity from 2 to 5.  At 2026-01-01T00:00:00Z an instance was started in response to a difference between desired and actual capacity, increasing the capacity from 2 to 5.
    0.200    web: 2 InService in us-east-1a, 2 InService in us-east-1b, 1 InService in us-east-1c
    0.200  > desired web 1
    0.200    web: 2 InService in us-east-1a, 2 InService in us-east-1b, 1 InService in us-east-1c
    0.200  > expect web in service 1 within 10 s
    0.200  autoscaling/group web: BeginTermination { instance: "i-1", why: None, cause: "At 2026-01-01T00:00:00Z a user request explicitly set group desired capacity changing the desired capacit…
    0.200  autoscaling/group web: BeginTermination { instance: "i-2", why: None, cause: "At 2026-01-01T00:00:00Z a user request explicitly set group desired capacity changing the desired capacit…
    0.200  autoscaling/group web: BeginTermination { instance: "i-3", why: None, cause: "At 2026-01-01T00:00:00Z a user request explicitly set group desired capacity changing the desired capacit…
    0.200  autoscaling/group web: BeginTermination { instance: "i-4", why: None, cause: "At 2026-01-01T00:00:00Z a user request explicitly set group desired capacity changing the desired capacit…
    0.200  autoscaling/group web: Terminate { instance: "i-3" }
    0.200  autoscaling/group web: Terminate { instance: "i-4" }
    0.200  autoscaling/group web: Terminate { instance: "i-1" }
    0.200  autoscaling/group web: Terminate { instance: "i-2" }
    0.200  autoscaling/group web: ForgetReason
    0.200  autoscaling/group web: waits for i-3 to be terminated; i-4 to be terminated; i-1 to be terminated; i-2 to be terminated
    0.240  ec2/instance i-3: Terminate
    0.240  ec2/instance i-3: RecordTerminated
    0.240  ec2/instance i-3: waits for the end of the hour in which terminated instances are shown (until 3600.240)
    0.240  ec2/instance i-4: Terminate
    0.240  ec2/instance i-4: RecordTerminated
    0.240  ec2/instance i-4: waits for the end of the hour in which terminated instances are shown (until 3600.240)
    0.240  ec2/instance i-1: Terminate
    0.240  ec2/instance i-1: RecordTerminated
    0.240  ec2/instance i-1: waits for the end of the hour in which terminated instances are shown (until 3600.240)
    0.240  ec2/instance i-2: Terminate
    0.240  ec2/instance i-2: RecordTerminated
    0.240  ec2/instance i-2: waits for the end of the hour in which terminated instances are shown (until 3600.240)
    0.240  ec2/network vpc-1: apply the network: 1 interfaces, 1 security groups, 3 subnets
    0.240  ec2/network vpc-1: waits for a change of its records
    0.240  autoscaling/group web: Finish { instance: "i-3" }
    0.240  autoscaling/group web: Finish { instance: "i-4" }
    0.240  autoscaling/group web: Finish { instance: "i-1" }
    0.240  autoscaling/group web: Finish { instance: "i-2" }
    0.300  so it is after 0.1 s
    0.300    activity of web: Successful: Terminating EC2 instance: i-1
    0.300      At 2026-01-01T00:00:00Z a user request explicitly set group desired capacity changing the desired capacity from 5 to 1.  At 2026-01-01T00:00:00Z an instance was taken out of service in response to a difference between desired and actual capacity, shrinking the capacity from 5 to 1.  At 2026-01-01T00:00:00Z instance i-1 was selected for termination.
    0.300    activity of web: Successful: Terminating EC2 instance: i-2
    0.300      At 2026-01-01T00:00:00Z a user request explicitly set group desired capacity changing the desired capacity from 5 to 1.  At 2026-01-01T00:00:00Z an instance was taken out of service in response to a difference between desired and actual capacity, shrinking the capacity from 5 to 1.  At 2026-01-01T00:00:00Z instance i-2 was selected for termination.
    0.300    activity of web: Successful: Terminating EC2 instance: i-3
    0.300      At 2026-01-01T00:00:00Z a user request explicitly set group desired capacity changing the desired capacity from 5 to 1.  At 2026-01-01T00:00:00Z an instance was taken out of service in response to a difference between desired and actual capacity, shrinking the capacity from 5 to 1.  At 2026-01-01T00:00:00Z instance i-3 was selected for termination.
    0.300    activity of web: Successful: Terminating EC2 instance: i-4
    0.300      At 2026-01-01T00:00:00Z a user request explicitly set group desired capacity changing the desired capacity from 5 to 1.  At 2026-01-01T00:00:00Z an instance was taken out of service in response to a difference between desired and actual capacity, shrinking the capacity from 5 to 1.  At 2026-01-01T00:00:00Z instance i-4 was selected for termination.
    0.300    web: 1 InService in us-east-1c
    0.300  > settle
   35.300    web: 1 InService in us-east-1c
   35.300  > delete web
   35.300    web: 1 InService in us-east-1c
   35.300  > settle
   35.300  autoscaling/group web: BeginTermination { instance: "i-5", why: None, cause: "At 2026-01-01T00:00:35Z instance i-5 was taken out of service in response to a user request to delete its…
   35.300  autoscaling/group web: Terminate { instance: "i-5" }
   35.300  autoscaling/group web: waits for i-5 to be terminated
   35.340  ec2/instance i-5: Terminate
   35.340  ec2/instance i-5: RecordTerminated
   35.340  ec2/instance i-5: waits for the end of the hour in which terminated instances are shown (until 3635.340)
   35.340  ec2/network vpc-1: remove the network from the host
   35.340  autoscaling/group web: Finish { instance: "i-5" }
   35.340  autoscaling/group web: DeleteGroup
   35.340  ec2/dns vpc-1: Stop
   70.400    web: gone
