    0.000  > stack shop from network.yaml
    0.000    event of shop: shop CREATE_IN_PROGRESS: User Initiated
    0.000  > expect stack shop CREATE_COMPLETE within 1 min
    0.000  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Begin("Vpc")
    0.000  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Check("Vpc")
    0.000  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Begin("Subnet")
    0.000  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Check("Subnet")
    0.000  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Begin("Machine")
    0.000  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Check("Machine")
    0.000  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: waits for Machine: i-1 is pending (until 0.050)
    0.000  ec2/network vpc-1: apply the network: 1 interfaces, 1 security groups, 1 subnets
    0.000  ec2/network vpc-1: waits for a change of its records
    0.000  ec2/dns vpc-1: Serve
    0.000  ec2/dns vpc-1: waits for a change of the VPC's network
    0.050  ec2/instance i-1: Launch
    0.050  ec2/instance i-1: RecordRunning { boots: 1 }
    0.050  ec2/instance i-1: waits for its machine to end, or a call
    0.050  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Check("Machine")
    0.050  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Turn(Turn { phase: "uuid-2/CREATE_IN_PROGRESS/0", to: CreateComplete, reason: None })
    0.100  so it is after 0.1 s
    0.100    event of shop: Vpc CREATE_IN_PROGRESS
    0.100    event of shop: Vpc CREATE_IN_PROGRESS: Resource creation Initiated
    0.100    event of shop: Vpc CREATE_COMPLETE
    0.100    event of shop: Subnet CREATE_IN_PROGRESS
    0.100    event of shop: Subnet CREATE_IN_PROGRESS: Resource creation Initiated
    0.100    event of shop: Subnet CREATE_COMPLETE
    0.100    event of shop: Machine CREATE_IN_PROGRESS
    0.100    event of shop: Machine CREATE_IN_PROGRESS: Resource creation Initiated
    0.100    event of shop: Machine CREATE_COMPLETE
    0.100    event of shop: shop CREATE_COMPLETE
    0.100  > stack shop becomes network-larger.yaml
    0.100    event of shop: shop UPDATE_IN_PROGRESS: User Initiated
    0.100  > expect stack shop UPDATE_COMPLETE within 2 min
    0.100  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Begin("Vpc")
    0.100  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Begin("Second")
    0.100  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Begin("Subnet")
    0.100  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Check("Second")
    0.100  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Begin("Machine")
    0.100  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Check("Machine")
    0.100  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: waits for Machine: i-2 is pending (until 0.150)
    0.100  ec2/network vpc-1: apply the network: 2 interfaces, 1 security groups, 2 subnets
    0.100  ec2/network vpc-1: waits for a change of its records
    0.150  ec2/instance i-2: Launch
    0.150  ec2/instance i-2: RecordRunning { boots: 1 }
    0.150  ec2/instance i-2: waits for its machine to end, or a call
    0.150  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Check("Machine")
    0.150  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Turn(Turn { phase: "uuid-3/UPDATE_IN_PROGRESS/0", to: UpdateCleanup, reason: None })
    0.150  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Remove("Machine")
    0.150  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: waits for Machine: i-1 is shutting down (until 0.200)
    0.190  ec2/instance i-1: Terminate
    0.190  ec2/instance i-1: RecordTerminated
    0.190  ec2/instance i-1: waits for the end of the hour in which terminated instances are shown (until 3600.190)
    0.190  ec2/network vpc-1: apply the network: 1 interfaces, 1 security groups, 2 subnets
    0.190  ec2/network vpc-1: waits for a change of its records
    0.200  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Check("Machine")
    0.200  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Turn(Turn { phase: "uuid-3/UPDATE_COMPLETE_CLEANUP_IN_PROGRESS/0", to: UpdateComplete, reason: None })
    0.300  so it is after 0.2 s
    0.300    event of shop: Second CREATE_IN_PROGRESS
    0.300    event of shop: Second CREATE_IN_PROGRESS: Resource creation Initiated
    0.300    event of shop: Second CREATE_COMPLETE
    0.300    event of shop: Machine UPDATE_IN_PROGRESS: Requested update requires the creation of a new physical resource; hence creating one.
    0.300    event of shop: Machine UPDATE_IN_PROGRESS: Resource creation Initiated
    0.300    event of shop: Machine UPDATE_COMPLETE
    0.300    event of shop: shop UPDATE_COMPLETE_CLEANUP_IN_PROGRESS
    0.300    event of shop: Machine DELETE_IN_PROGRESS
    0.300    event of shop: Machine DELETE_COMPLETE
    0.300    event of shop: shop UPDATE_COMPLETE
    0.300  > stack shop goes
    0.300    event of shop: shop DELETE_IN_PROGRESS: User Initiated
    0.300  > expect stack shop DELETE_COMPLETE within 2 min
    0.300  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Remove("Machine")
    0.300  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Remove("Subnet")
    0.300  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: waits for Machine: i-2 is shutting down (until 0.350)
    0.300  ec2/network vpc-1: apply the network: 1 interfaces, 1 security groups, 1 subnets
    0.300  ec2/network vpc-1: waits for a change of its records
    0.340  ec2/instance i-2: Terminate
    0.340  ec2/instance i-2: RecordTerminated
    0.340  ec2/instance i-2: waits for the end of the hour in which terminated instances are shown (until 3600.340)
    0.340  ec2/network vpc-1: remove the network from the host
    0.340  ec2/dns vpc-1: Stop
    0.350  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Check("Machine")
    0.350  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Remove("Second")
    0.350  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Remove("Vpc")
    0.350  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Turn(Turn { phase: "uuid-4/DELETE_IN_PROGRESS/0", to: DeleteComplete, reason: None })
    0.400  so it is after 0.1 s
    0.400    event of shop: Machine DELETE_IN_PROGRESS
    0.400    event of shop: Subnet DELETE_IN_PROGRESS
    0.400    event of shop: Subnet DELETE_COMPLETE
    0.400    event of shop: Machine DELETE_COMPLETE
    0.400    event of shop: Second DELETE_IN_PROGRESS
    0.400    event of shop: Second DELETE_COMPLETE
    0.400    event of shop: Vpc DELETE_IN_PROGRESS
    0.400    event of shop: Vpc DELETE_COMPLETE
    0.400    event of shop: shop DELETE_COMPLETE
    0.400  > settle
