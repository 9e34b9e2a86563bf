//! The memory of this process, as the system counts it.

/// Bytes of memory in use; zero where the system does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// All that is resident, mapped files included.
    pub(crate) resident: u64,
    /// What is no mapped file: what caches, heads and queries hold.
    pub(crate) anonymous: u64,
}

impl Memory {
    /// What it is now.
    pub(crate) fn now() -> Memory {
        std::fs::read_to_string("/proc/self/status")
            .map_or_else(|_| Memory::default(), |text| Memory::of(&text))
    }

    fn of(status: &str) -> Memory {
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
            kib.unwrap_or(0) * 1_024
        };
        Memory { resident: bytes("VmRSS"), anonymous: bytes("RssAnon") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_is_read() {
        let text = "Name:\tweir\nVmRSS:\t    2048 kB\nRssAnon:\t     512 kB\n";
        assert_eq!(Memory::of(text), Memory { resident: 2 << 20, anonymous: 512 << 10 });
        assert_eq!(Memory::of(""), Memory::default());
        assert_eq!(Memory::now().resident > 0, cfg!(target_os = "linux"));
    }
}
