//! The seccomp program that lets changes of ownership pretend to succeed.
//!
//! With one mapped uid the kernel refuses them all, and package tools stop at the first. What the files' owners are to be
//! is decided by who packs them, so nothing is lost. System calls of another architecture pass untouched.

use libc::{c_long, sock_filter};

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

/// System calls that answer "done" whatever their arguments are.
const ANSWERED: &[c_long] = &[
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_setgroups,
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    libc::SYS_capset,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_msync,
    libc::SYS_sync,
    libc::SYS_syncfs,
    libc::SYS_sync_file_range,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lchown,
];

/// System calls that make nodes, with the position of their mode argument: devices are pretended, the rest are real.
const NODE_MAKERS: &[(c_long, u32)] = &[
    (libc::SYS_mknodat, 2),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_mknod, 1),
];

// Classic BPF, see linux/bpf_common.h.
const LOAD_WORD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;

// Offsets in `struct seccomp_data`; an argument's low half comes first on both architectures.
const NUMBER_OFFSET: u32 = 0;
const ARCHITECTURE_OFFSET: u32 = 4;
const ARGUMENTS_OFFSET: u32 = 16;

const ANSWER_DONE: sock_filter = instruction(RETURN, libc::SECCOMP_RET_ERRNO);
const ALLOW: sock_filter = instruction(RETURN, libc::SECCOMP_RET_ALLOW);

/// The program.
pub(crate) fn pretend_ownership() -> Vec<sock_filter> {
    let mut program = vec![
        instruction(LOAD_WORD, ARCHITECTURE_OFFSET),
        jump_if_equal(ARCHITECTURE, 1, 0),
        ALLOW,
        instruction(LOAD_WORD, NUMBER_OFFSET),
    ];
    for &call in ANSWERED {
        program.extend([jump_if_equal(number(call), 0, 1), ANSWER_DONE]);
    }
    for &(call, mode_argument) in NODE_MAKERS {
        program.extend([
            jump_if_equal(number(call), 0, 6),
            instruction(LOAD_WORD, ARGUMENTS_OFFSET + 8 * mode_argument),
            instruction(AND, libc::S_IFMT),
            jump_if_equal(libc::S_IFCHR, 1, 0),
            jump_if_equal(libc::S_IFBLK, 0, 1),
            ANSWER_DONE,
            ALLOW,
        ]);
    }
    program.push(ALLOW);
    program
}

fn number(call: c_long) -> u32 {
    u32::try_from(call).expect("system call numbers are small")
}

const fn instruction(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 0, k }
}

/// Skips `then` or `otherwise` instructions.
const fn jump_if_equal(k: u32, then: u8, otherwise: u8) -> sock_filter {
    sock_filter { code: JUMP_IF_EQUAL, jt: then, jf: otherwise, k }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the program as the kernel would.
    fn answer(architecture: u32, call: c_long, arguments: [u32; 6]) -> u32 {
        let program = pretend_ownership();
        let mut accumulator = 0;
        let mut at = 0;
        loop {
            let step = program[at];
            at += 1;
            match step.code {
                LOAD_WORD => {
                    accumulator = match step.k {
                        NUMBER_OFFSET => number(call),
                        ARCHITECTURE_OFFSET => architecture,
                        offset => arguments[((offset - ARGUMENTS_OFFSET) / 8) as usize],
                    }
                }
                AND => accumulator &= step.k,
                JUMP_IF_EQUAL if accumulator == step.k => at += usize::from(step.jt),
                JUMP_IF_EQUAL => at += usize::from(step.jf),
                RETURN => return step.k,
                code => panic!("no such instruction: {code}"),
            }
        }
    }

    #[test]
    fn every_listed_call_is_answered_and_others_pass() {
        for &call in ANSWERED {
            assert_eq!(answer(ARCHITECTURE, call, [0; 6]), libc::SECCOMP_RET_ERRNO, "{call}");
        }
        for call in [libc::SYS_read, libc::SYS_fchmodat, libc::SYS_execve] {
            assert_eq!(answer(ARCHITECTURE, call, [0; 6]), libc::SECCOMP_RET_ALLOW, "{call}");
        }
    }

    #[test]
    fn only_device_nodes_are_pretended() {
        for &(call, position) in NODE_MAKERS {
            for (kind, expected) in [
                (libc::S_IFCHR, libc::SECCOMP_RET_ERRNO),
                (libc::S_IFBLK, libc::SECCOMP_RET_ERRNO),
                (libc::S_IFIFO, libc::SECCOMP_RET_ALLOW),
                (libc::S_IFREG, libc::SECCOMP_RET_ALLOW),
            ] {
                let mut arguments = [0; 6];
                arguments[position as usize] = kind | 0o644;
                assert_eq!(answer(ARCHITECTURE, call, arguments), expected, "{call} {kind:o}");
            }
        }
    }

    #[test]
    fn calls_of_another_architecture_pass() {
        assert_eq!(answer(0x4000_0003, libc::SYS_fchown, [0; 6]), libc::SECCOMP_RET_ALLOW);
    }
}
