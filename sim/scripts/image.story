    0.000  > group builder min 1 desired 1 max 1
    0.000    builder: no instances
    0.000  > expect builder in service 1 within 10 s
    0.000  autoscaling/group builder: DecideLaunches { first: 1, places: [Place { zone: "us-east-1a", subnet: Some("subnet-1") }], cause: "At 2026-01-01T00:00:00Z a user request created an AutoScali…
    0.000  autoscaling/group builder: Launch { number: 1 }
    0.000  autoscaling/group builder: ForgetReason
    0.000  autoscaling/group builder: waits for i-1 to be running
    0.000  ec2/network vpc-1: apply the network: 1 interfaces, 1 security groups, 3 subnets
    0.000  ec2/network vpc-1: waits for a change of its records
    0.000  ec2/dns vpc-1: Serve
    0.000  ec2/dns vpc-1: waits for a change of the VPC's network
    0.050  ec2/instance i-1: Launch
    0.050  ec2/instance i-1: RecordRunning { boots: 1 }
    0.050  ec2/instance i-1: waits for its machine to end, or a call
    0.050  autoscaling/group builder: EnterService { instance: "i-1", register: [], leave_out: [] }
    0.100  so it is after 0.1 s
    0.100    activity of builder: Successful: Launching a new EC2 instance: i-1
    0.100      At 2026-01-01T00:00:00Z a user request created an AutoScalingGroup changing the desired capacity from 0 to 1.  At 2026-01-01T00:00:00Z an instance was started in response to a difference between desired and actual capacity, increasing the capacity from 0 to 1.
    0.100    builder: 1 InService in us-east-1a
    0.100  > expect 1 images on the host
    0.100    builder: 1 InService in us-east-1a
    0.100  > image golden of one of builder
    0.100    image golden: pending
    0.100    builder: 1 InService in us-east-1a
    0.100  > expect image golden available within 10 s
    0.100  ec2/instance i-1: waits for the image ami-1, which is being made of it
    0.300  ec2/image ami-1: Capture
    0.300  ec2/image ami-1: Finish
    0.300  ec2/instance i-1: waits for its machine to end, or a call
    0.400  so it is after 0.3 s
    0.400    image golden: available
    0.400    builder: 1 InService in us-east-1a
    0.400  > expect 2 images on the host
    0.400    builder: 1 InService in us-east-1a
    0.400  > group web of golden min 1 desired 2 max 4
    0.400    builder: 1 InService in us-east-1a
    0.400    web: no instances
    0.400  > expect web in service 2 within 10 s
    0.400  autoscaling/group web: DecideLaunches { first: 1, places: [Place { zone: "us-east-1a", subnet: Some("subnet-1") }, Place { zone: "us-east-1b", subnet: Some("subnet-2") }], cause: "At …
    0.400  autoscaling/group web: Launch { number: 1 }
    0.400  autoscaling/group web: Launch { number: 2 }
    0.400  autoscaling/group web: ForgetReason
    0.400  autoscaling/group web: waits for i-2 to be running; i-3 to be running
    0.400  ec2/network vpc-1: apply the network: 3 interfaces, 1 security groups, 3 subnets
    0.400  ec2/network vpc-1: waits for a change of its records
    0.450  ec2/instance i-2: Launch
    0.450  ec2/instance i-2: RecordRunning { boots: 1 }
    0.450  ec2/instance i-2: waits for its machine to end, or a call
    0.450  ec2/instance i-3: Launch
    0.450  ec2/instance i-3: RecordRunning { boots: 1 }
    0.450  ec2/instance i-3: waits for its machine to end, or a call
    0.450  autoscaling/group web: EnterService { instance: "i-2", register: [], leave_out: [] }
    0.450  autoscaling/group web: EnterService { instance: "i-3", register: [], leave_out: [] }
    0.500  so it is after 0.1 s
    0.500    builder: 1 InService in us-east-1a
    0.500    activity of web: Successful: Launching a new EC2 instance: i-2
    0.500      At 2026-01-01T00:00:00Z a user request created an AutoScalingGroup changing the desired capacity from 0 to 2.  At 2026-01-01T00:00:00Z an instance was started in response to a difference between desired and actual capacity, increasing the capacity from 0 to 2.
    0.500    activity of web: Successful: Launching a new EC2 instance: i-3
    0.500      At 2026-01-01T00:00:00Z a user request created an AutoScalingGroup changing the desired capacity from 0 to 2.  At 2026-01-01T00:00:00Z an instance was started in response to a difference between desired and actual capacity, increasing the capacity from 0 to 2.
    0.500    web: 1 InService in us-east-1a, 1 InService in us-east-1b
    0.500  > image golden goes
    0.500    image golden: gone
    0.500    builder: 1 InService in us-east-1a
    0.500    web: 1 InService in us-east-1a, 1 InService in us-east-1b
    0.500  > expect image golden gone
    0.500    builder: 1 InService in us-east-1a
    0.500    web: 1 InService in us-east-1a, 1 InService in us-east-1b
    0.500  > settle
    0.500  ec2/discarded-image sha256-2fe32b484c2973a5c23dbe8ac2a09db8d072fce5745f1c971bbaba86a6dee75b: waits for i-2 to be terminated
   35.500    builder: 1 InService in us-east-1a
   35.500    web: 1 InService in us-east-1a, 1 InService in us-east-1b
   35.500  > expect 2 images on the host
   35.500    builder: 1 InService in us-east-1a
   35.500    web: 1 InService in us-east-1a, 1 InService in us-east-1b
   35.500  > delete web
   35.500    builder: 1 InService in us-east-1a
   35.500    web: 1 InService in us-east-1a, 1 InService in us-east-1b
   35.500  > settle
   35.500  autoscaling/group web: BeginTermination { instance: "i-2", why: None, cause: "At 2026-01-01T00:00:35Z instance i-2 was taken out of service in response to a user request to delete its…
   35.500  autoscaling/group web: BeginTermination { instance: "i-3", why: None, cause: "At 2026-01-01T00:00:35Z instance i-3 was taken out of service in response to a user request to delete its…
   35.500  autoscaling/group web: Terminate { instance: "i-2" }
   35.500  autoscaling/group web: Terminate { instance: "i-3" }
   35.500  autoscaling/group web: waits for i-2 to be terminated; i-3 to be terminated
   35.540  ec2/instance i-2: Terminate
   35.540  ec2/instance i-2: RecordTerminated
   35.540  ec2/instance i-2: waits for the end of the hour in which terminated instances are shown (until 3635.540)
   35.540  ec2/instance i-3: Terminate
   35.540  ec2/instance i-3: RecordTerminated
   35.540  ec2/instance i-3: waits for the end of the hour in which terminated instances are shown (until 3635.540)
   35.540  ec2/network vpc-1: apply the network: 1 interfaces, 1 security groups, 3 subnets
   35.540  ec2/network vpc-1: waits for a change of its records
   35.540  ec2/discarded-image sha256-2fe32b484c2973a5c23dbe8ac2a09db8d072fce5745f1c971bbaba86a6dee75b: Delete
   35.540  ec2/discarded-image sha256-2fe32b484c2973a5c23dbe8ac2a09db8d072fce5745f1c971bbaba86a6dee75b: Forget
   35.540  autoscaling/group web: Finish { instance: "i-2" }
   35.540  autoscaling/group web: Finish { instance: "i-3" }
   35.540  autoscaling/group web: DeleteGroup
   70.600    builder: 1 InService in us-east-1a
   70.600    web: gone
   70.600  > expect 1 images on the host
   70.600    builder: 1 InService in us-east-1a
