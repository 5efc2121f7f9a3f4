//! Instance types: how many processors and how much memory each means. Facts of AWS's catalogue;
//! a type that is not in the table is refused by name. A machine's limits come from here.

/// One type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InstanceType {
    pub family: &'static Family,
    pub size: &'static str,
    pub vcpus: i32,
    pub memory_mib: i64,
}

/// What the sizes of a family have in common.
#[derive(Debug, PartialEq)]
pub struct Family {
    pub name: &'static str,
    pub arm: bool,
    pub burstable: bool,
    pub current: bool,
    /// Threads per core.
    pub threads: i32,
    pub hypervisor: &'static str,
    /// AWS's catalogue says none for the oldest.
    pub clock_ghz: Option<f64>,
    /// Size, processors, MiB.
    sizes: &'static [(&'static str, i32, i64)],
}

const GIB: i64 = 1024;

/// The first generation; `m1.small` is what RunInstances takes when nobody names a type.
const M1: &[(&str, i32, i64)] =
    &[("small", 1, 1_740), ("medium", 1, 3_788), ("large", 2, 7_680), ("xlarge", 4, 15_360)];
const T2: &[(&str, i32, i64)] = &[
    ("nano", 1, 512),
    ("micro", 1, GIB),
    ("small", 1, 2 * GIB),
    ("medium", 2, 4 * GIB),
    ("large", 2, 8 * GIB),
    ("xlarge", 4, 16 * GIB),
    ("2xlarge", 8, 32 * GIB),
];
const T3: &[(&str, i32, i64)] = &[
    ("nano", 2, 512),
    ("micro", 2, GIB),
    ("small", 2, 2 * GIB),
    ("medium", 2, 4 * GIB),
    ("large", 2, 8 * GIB),
    ("xlarge", 4, 16 * GIB),
    ("2xlarge", 8, 32 * GIB),
];
/// 4 GiB per processor.
const GENERAL: &[(&str, i32, i64)] = &[
    ("large", 2, 8 * GIB),
    ("xlarge", 4, 16 * GIB),
    ("2xlarge", 8, 32 * GIB),
    ("4xlarge", 16, 64 * GIB),
    ("8xlarge", 32, 128 * GIB),
    ("12xlarge", 48, 192 * GIB),
    ("16xlarge", 64, 256 * GIB),
    ("24xlarge", 96, 384 * GIB),
];
const GENERAL_ARM: &[(&str, i32, i64)] = &[
    ("medium", 1, 4 * GIB),
    ("large", 2, 8 * GIB),
    ("xlarge", 4, 16 * GIB),
    ("2xlarge", 8, 32 * GIB),
    ("4xlarge", 16, 64 * GIB),
    ("8xlarge", 32, 128 * GIB),
    ("12xlarge", 48, 192 * GIB),
    ("16xlarge", 64, 256 * GIB),
];
const C5: &[(&str, i32, i64)] = &[
    ("large", 2, 4 * GIB),
    ("xlarge", 4, 8 * GIB),
    ("2xlarge", 8, 16 * GIB),
    ("4xlarge", 16, 32 * GIB),
    ("9xlarge", 36, 72 * GIB),
    ("12xlarge", 48, 96 * GIB),
    ("18xlarge", 72, 144 * GIB),
    ("24xlarge", 96, 192 * GIB),
];
/// 2 GiB per processor.
const COMPUTE: &[(&str, i32, i64)] = &[
    ("large", 2, 4 * GIB),
    ("xlarge", 4, 8 * GIB),
    ("2xlarge", 8, 16 * GIB),
    ("4xlarge", 16, 32 * GIB),
    ("8xlarge", 32, 64 * GIB),
    ("12xlarge", 48, 96 * GIB),
    ("16xlarge", 64, 128 * GIB),
    ("24xlarge", 96, 192 * GIB),
];
const COMPUTE_ARM: &[(&str, i32, i64)] = &[
    ("medium", 1, 2 * GIB),
    ("large", 2, 4 * GIB),
    ("xlarge", 4, 8 * GIB),
    ("2xlarge", 8, 16 * GIB),
    ("4xlarge", 16, 32 * GIB),
    ("8xlarge", 32, 64 * GIB),
    ("12xlarge", 48, 96 * GIB),
    ("16xlarge", 64, 128 * GIB),
];
/// 8 GiB per processor.
const MEMORY: &[(&str, i32, i64)] = &[
    ("large", 2, 16 * GIB),
    ("xlarge", 4, 32 * GIB),
    ("2xlarge", 8, 64 * GIB),
    ("4xlarge", 16, 128 * GIB),
    ("8xlarge", 32, 256 * GIB),
    ("12xlarge", 48, 384 * GIB),
    ("16xlarge", 64, 512 * GIB),
    ("24xlarge", 96, 768 * GIB),
];

const fn x86(name: &'static str, clock_ghz: f64, sizes: &'static [(&'static str, i32, i64)]) -> Family {
    Family {
        name,
        arm: false,
        burstable: false,
        current: true,
        threads: 2,
        hypervisor: "nitro",
        clock_ghz: Some(clock_ghz),
        sizes,
    }
}

const fn arm(name: &'static str, clock_ghz: f64, sizes: &'static [(&'static str, i32, i64)]) -> Family {
    Family { arm: true, threads: 1, ..x86(name, clock_ghz, sizes) }
}

static FAMILIES: &[Family] = &[
    x86("c5", 3.4, C5),
    x86("c6i", 3.5, COMPUTE),
    x86("c6a", 3.6, COMPUTE),
    arm("c6g", 2.5, COMPUTE_ARM),
    x86("c7i", 3.2, COMPUTE),
    arm("c7g", 2.6, COMPUTE_ARM),
    Family { current: false, threads: 1, hypervisor: "xen", clock_ghz: None, ..x86("m1", 0.0, M1) },
    x86("m5", 3.1, GENERAL),
    x86("m5a", 2.5, GENERAL),
    x86("m6i", 3.5, GENERAL),
    x86("m6a", 3.6, GENERAL),
    arm("m6g", 2.5, GENERAL_ARM),
    x86("m7i", 3.2, GENERAL),
    arm("m7g", 2.6, GENERAL_ARM),
    x86("r5", 3.1, MEMORY),
    x86("r6i", 3.5, MEMORY),
    Family { burstable: true, threads: 1, hypervisor: "xen", ..x86("t2", 2.3, T2) },
    Family { burstable: true, ..x86("t3", 2.5, T3) },
    Family { burstable: true, ..x86("t3a", 2.2, T3) },
    Family { burstable: true, ..arm("t4g", 2.5, T3) },
];

/// Every type, in the order of family and size.
pub fn all() -> impl Iterator<Item = InstanceType> {
    FAMILIES.iter().flat_map(|family| {
        family.sizes.iter().map(move |&(size, vcpus, memory_mib)| InstanceType { family, size, vcpus, memory_mib })
    })
}

/// The type of that name, e.g. `t3.micro`.
pub fn find(name: &str) -> Option<InstanceType> {
    let (family, size) = name.split_once('.')?;
    all().find(|t| t.family.name == family && t.size == size)
}

impl InstanceType {
    pub fn name(&self) -> String {
        format!("{}.{}", self.family.name, self.size)
    }
    /// AWS's `EbsOptimizedSupport`: always so (`default`), or not to be had.
    pub fn ebs_optimized(&self) -> &'static str {
        if self.family.hypervisor == "nitro" { "default" } else { "unsupported" }
    }
    /// AWS's name of the architecture.
    pub fn architecture(&self) -> &'static str {
        if self.family.arm { "arm64" } else { "x86_64" }
    }
    pub fn memory_bytes(&self) -> u64 {
        self.memory_mib.unsigned_abs() << 20
    }
    /// Most processes and threads: 4,096 per GiB, as Linux itself would allow about 8,000.
    pub fn pids_max(&self) -> u32 {
        let wanted = (self.memory_mib.unsigned_abs() * 4).clamp(2_048, 32_768);
        u32::try_from(wanted).unwrap_or(32_768)
    }
    /// Most network interfaces, and most private addresses of each.
    pub fn interface_limits(&self) -> (i32, i32) {
        match (self.family.name, self.size) {
            ("m1", "small") => (2, 4),
            ("m1", "medium") => (2, 6),
            ("t3a", "small") => (2, 4),
            ("t2", "xlarge" | "2xlarge") => (3, 15),
            (family, size) if family.starts_with('t') => match size {
                "nano" | "micro" => (2, 2),
                "small" => (3, 4),
                "medium" => (3, 6),
                "large" => (3, 12),
                _ => (4, 15),
            },
            (_, "medium") => (2, 4),
            (_, "large") => (3, 10),
            (_, "xlarge" | "2xlarge") => (4, 15),
            (_, "4xlarge" | "8xlarge" | "9xlarge" | "12xlarge") => (8, 30),
            _ => (15, 50),
        }
    }
    pub fn cores(&self) -> i32 {
        (self.vcpus / self.family.threads).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_found_by_name() {
        let micro = find("t3.micro").expect("in the table");
        assert_eq!((micro.vcpus, micro.memory_bytes(), micro.cores()), (2, 1 << 30, 1));
        assert_eq!(micro.interface_limits(), (2, 2));
        assert_eq!(find("m5.24xlarge").map(|t| t.interface_limits()), Some((15, 50)));
        assert_eq!(find("m6g.medium").map(|t| t.architecture()), Some("arm64"));
        assert_eq!(find("t3.huge"), None);
        let names: std::collections::BTreeSet<String> = all().map(|t| t.name()).collect();
        assert_eq!(names.len(), all().count());
        use kiln_protocol::StructTyped;
        let shape = kiln_ec2_shapes::RunInstancesRequest::SHAPE;
        let (_, member) = shape.find("InstanceType").expect("a member");
        for name in names {
            assert!(member.limits.one_of.contains(&name.as_str()), "{name} is no EC2 type");
        }
    }
}
