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
    0.100  > stack shop becomes network-wrong.yaml
    0.100    event of shop: shop UPDATE_IN_PROGRESS: User Initiated
    0.100  > expect stack shop UPDATE_ROLLBACK_COMPLETE within 5 min
    0.100  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Begin("Vpc")
    0.100  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Begin("Second")
    0.100  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Begin("Subnet")
    0.100  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Check("Second")
    0.100  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Begin("Machine")
    0.100  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Begin("Third")
    0.100  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Cancel("Machine")
    0.100  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Turn(Turn { phase: "uuid-3/UPDATE_IN_PROGRESS/0", to: UpdateRollbackInProgress, reason: Some("The following resource(s) failed to create: [Third]. The following…
    0.100  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Restore("Vpc")
    0.100  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Restore("Subnet")
    0.100  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Restore("Machine")
    0.100  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Turn(Turn { phase: "uuid-3/UPDATE_ROLLBACK_IN_PROGRESS/0", to: UpdateRollbackCleanup, reason: None })
    0.100  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Remove("Machine")
    0.100  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: waits for Machine: i-2 is shutting down (until 0.150)
    0.100  ec2/network vpc-1: apply the network: 2 interfaces, 1 security groups, 2 subnets
    0.100  ec2/network vpc-1: waits for a change of its records
    0.100  ec2/instance i-2: RecordTerminated
    0.100  ec2/instance i-2: waits for the end of the hour in which terminated instances are shown (until 3600.100)
    0.100  ec2/network vpc-1: apply the network: 1 interfaces, 1 security groups, 2 subnets
    0.100  ec2/network vpc-1: waits for a change of its records
    0.150  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Check("Machine")
    0.150  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Remove("Second")
    0.150  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/shop/uuid-1: Turn(Turn { phase: "uuid-3/UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS/0", to: UpdateRollbackComplete, reason: None })
    0.150  ec2/network vpc-1: apply the network: 1 interfaces, 1 security groups, 1 subnets
    0.150  ec2/network vpc-1: waits for a change of its records
    0.200  so it is after 0.1 s
    0.200    event of shop: Second CREATE_IN_PROGRESS
    0.200    event of shop: Second CREATE_IN_PROGRESS: Resource creation Initiated
    0.200    event of shop: Second CREATE_COMPLETE
    0.200    event of shop: Machine UPDATE_IN_PROGRESS: Requested update requires the creation of a new physical resource; hence creating one.
    0.200    event of shop: Machine UPDATE_IN_PROGRESS: Resource creation Initiated
    0.200    event of shop: Third CREATE_IN_PROGRESS
    0.200    event of shop: Third CREATE_FAILED: Resource handler returned message: "The CIDR '10.8.0.0/24' is invalid." (RequestToken: uuid-4, HandlerErrorCode: InvalidSubnet.Range)
    0.200    event of shop: Machine UPDATE_FAILED: Resource update cancelled
    0.200    event of shop: shop UPDATE_ROLLBACK_IN_PROGRESS: The following resource(s) failed to create: [Third]. The following resource(s) failed to update: [Machine].
    0.200    event of shop: Machine UPDATE_COMPLETE
    0.200    event of shop: shop UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS
    0.200    event of shop: Machine DELETE_IN_PROGRESS
    0.200    event of shop: Machine DELETE_COMPLETE
    0.200    event of shop: Second DELETE_IN_PROGRESS
    0.200    event of shop: Second DELETE_COMPLETE
    0.200    event of shop: shop UPDATE_ROLLBACK_COMPLETE
    0.200  > stack other from network-wrong.yaml
    0.200    event of other: other CREATE_IN_PROGRESS: User Initiated
    0.200  > expect stack other ROLLBACK_COMPLETE within 5 min
    0.200  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/other/uuid-5: Begin("Vpc")
    0.200  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/other/uuid-5: Check("Vpc")
    0.200  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/other/uuid-5: Begin("Second")
    0.200  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/other/uuid-5: Begin("Subnet")
    0.200  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/other/uuid-5: Check("Second")
    0.200  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/other/uuid-5: Check("Subnet")
    0.200  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/other/uuid-5: Begin("Machine")
    0.200  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/other/uuid-5: Begin("Third")
    0.200  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/other/uuid-5: Cancel("Machine")
    0.200  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/other/uuid-5: Turn(Turn { phase: "uuid-6/CREATE_IN_PROGRESS/0", to: RollbackInProgress, reason: Some("The following resource(s) failed to create: [Machine, Third]. Rollback r…
    0.200  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/other/uuid-5: Remove("Machine")
    0.200  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/other/uuid-5: Remove("Subnet")
    0.200  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/other/uuid-5: waits for Machine: i-3 is shutting down (until 0.250)
    0.200  ec2/network vpc-2: apply the network: 1 interfaces, 1 security groups, 1 subnets
    0.200  ec2/network vpc-2: waits for a change of its records
    0.200  ec2/instance i-3: RecordTerminated
    0.200  ec2/instance i-3: waits for the end of the hour in which terminated instances are shown (until 3600.200)
    0.200  ec2/dns vpc-2: Serve
    0.200  ec2/dns vpc-2: waits for a change of the VPC's network
    0.200  ec2/network vpc-2: remove the network from the host
    0.200  ec2/dns vpc-2: Stop
    0.250  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/other/uuid-5: Check("Machine")
    0.250  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/other/uuid-5: Remove("Second")
    0.250  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/other/uuid-5: Remove("Vpc")
    0.250  cloudformation/stack arn:aws:cloudformation:us-east-1:000000000000:stack/other/uuid-5: Turn(Turn { phase: "uuid-6/ROLLBACK_IN_PROGRESS/0", to: RollbackComplete, reason: None })
    0.300  so it is after 0.1 s
    0.300    event of other: Vpc CREATE_IN_PROGRESS
    0.300    event of other: Vpc CREATE_IN_PROGRESS: Resource creation Initiated
    0.300    event of other: Vpc CREATE_COMPLETE
    0.300    event of other: Second CREATE_IN_PROGRESS
    0.300    event of other: Second CREATE_IN_PROGRESS: Resource creation Initiated
    0.300    event of other: Subnet CREATE_IN_PROGRESS
    0.300    event of other: Subnet CREATE_IN_PROGRESS: Resource creation Initiated
    0.300    event of other: Second CREATE_COMPLETE
    0.300    event of other: Subnet CREATE_COMPLETE
    0.300    event of other: Machine CREATE_IN_PROGRESS
    0.300    event of other: Machine CREATE_IN_PROGRESS: Resource creation Initiated
    0.300    event of other: Third CREATE_IN_PROGRESS
    0.300    event of other: Third CREATE_FAILED: Resource handler returned message: "The CIDR '10.8.0.0/24' is invalid." (RequestToken: uuid-7, HandlerErrorCode: InvalidSubnet.Range)
    0.300    event of other: Machine CREATE_FAILED: Resource creation cancelled
    0.300    event of other: other ROLLBACK_IN_PROGRESS: The following resource(s) failed to create: [Machine, Third]. Rollback requested by user.
    0.300    event of other: Machine DELETE_IN_PROGRESS
    0.300    event of other: Subnet DELETE_IN_PROGRESS
    0.300    event of other: Subnet DELETE_COMPLETE
    0.300    event of other: Machine DELETE_COMPLETE
    0.300    event of other: Second DELETE_IN_PROGRESS
    0.300    event of other: Second DELETE_COMPLETE
    0.300    event of other: Vpc DELETE_IN_PROGRESS
    0.300    event of other: Vpc DELETE_COMPLETE
    0.300    event of other: other ROLLBACK_COMPLETE
    0.300  > settle
