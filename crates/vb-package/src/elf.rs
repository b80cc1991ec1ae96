//! What ELF files say about where they run and what they need.

mod symbols;
mod versions;

use std::fmt;

use object::{
    elf::{
        DT_GNU_HASH, DT_HASH, DT_NEEDED, DT_NULL, DT_RPATH, DT_RUNPATH, DT_SONAME, DT_STRSZ, DT_STRTAB, DT_VERNEED,
        DT_VERNEEDNUM, EM_386, EM_AARCH64, EM_ARM, EM_LOONGARCH, EM_MIPS, EM_PPC64, EM_RISCV, EM_S390, EM_X86_64,
        FileHeader32, FileHeader64, PT_LOAD,
    },
    read::elf::{Dyn, FileHeader, ProgramHeader},
};

use serde::{Deserialize, Serialize};

use self::versions::read_versions;
pub use self::{
    symbols::{UndefinedSymbol, undefined_symbols},
    versions::NeededVersion,
};
use crate::architecture::debian_name;

/// The size of the addresses of an ELF file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ElfClass {
    /// 32 bits.
    Bits32,
    /// 64 bits.
    Bits64,
}

/// The byte order of an ELF file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Endianness {
    /// The lowest byte first.
    Little,
    /// The highest byte first.
    Big,
}

/// The kind of machine that an ELF file is for: `EI_CLASS`, `EI_DATA` and `e_machine` of its header.
///
/// `armel` and `armhf` are one machine here: they differ in flags that not every file sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ElfMachine {
    /// The size of addresses.
    pub class: ElfClass,
    /// The byte order.
    pub endianness: Endianness,
    /// `e_machine`.
    pub number: u16,
}

/// dpkg's architectures and the machines that they name.
const ARCHITECTURES: [(&str, ElfMachine); 13] = [
    ("amd64", machine(ElfClass::Bits64, Endianness::Little, EM_X86_64)),
    ("arm64", machine(ElfClass::Bits64, Endianness::Little, EM_AARCH64)),
    ("armel", machine(ElfClass::Bits32, Endianness::Little, EM_ARM)),
    ("armhf", machine(ElfClass::Bits32, Endianness::Little, EM_ARM)),
    ("i386", machine(ElfClass::Bits32, Endianness::Little, EM_386)),
    ("loong64", machine(ElfClass::Bits64, Endianness::Little, EM_LOONGARCH)),
    ("mips64el", machine(ElfClass::Bits64, Endianness::Little, EM_MIPS)),
    ("mipsel", machine(ElfClass::Bits32, Endianness::Little, EM_MIPS)),
    ("ppc64", machine(ElfClass::Bits64, Endianness::Big, EM_PPC64)),
    ("ppc64el", machine(ElfClass::Bits64, Endianness::Little, EM_PPC64)),
    ("riscv64", machine(ElfClass::Bits64, Endianness::Little, EM_RISCV)),
    ("s390x", machine(ElfClass::Bits64, Endianness::Big, EM_S390)),
    ("x32", machine(ElfClass::Bits32, Endianness::Little, EM_X86_64)),
];

const fn machine(class: ElfClass, endianness: Endianness, number: u16) -> ElfMachine {
    ElfMachine { class, endianness, number }
}

impl ElfMachine {
    /// How many bytes of a file [`ElfMachine::from_start`] looks at.
    pub const START: usize = 20;

    /// Returns the machine that a file is for, by its first bytes; nothing when it is not an ELF file.
    pub fn from_start(start: &[u8]) -> Option<Self> {
        let start = start.get(..Self::START)?.strip_prefix(b"\x7fELF")?;
        let class = match start[0] {
            1 => ElfClass::Bits32,
            2 => ElfClass::Bits64,
            _ => return None,
        };
        let number = [start[14], start[15]];
        match start[1] {
            1 => Some(machine(class, Endianness::Little, u16::from_le_bytes(number))),
            2 => Some(machine(class, Endianness::Big, u16::from_be_bytes(number))),
            _ => None,
        }
    }

    /// Returns the machine that an architecture of dpkg's or rpm's names.
    pub fn of_architecture(architecture: &str) -> Option<Self> {
        let architecture = debian_name(architecture)?;
        ARCHITECTURES.iter().find(|(name, _)| *name == architecture).map(|(_, machine)| *machine)
    }
}

impl fmt::Display for ElfMachine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match ARCHITECTURES.iter().find(|(_, machine)| machine == self) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "ELF machine {} ({:?}, {:?} endian)", self.number, self.class, self.endianness),
        }
    }
}

/// What the dynamic section of an ELF file tells the loader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElfFacts {
    /// Where it runs.
    pub machine: ElfMachine,
    /// The sonames of the libraries it needs, in its order.
    pub needed: Vec<String>,
    /// The versions that it needs of them.
    pub versions: Vec<NeededVersion>,
    /// Has it a hash table that only a loader since 2006 reads (`DT_GNU_HASH` without `DT_HASH`)?
    pub needs_gnu_hash: bool,
    /// Its own soname.
    pub soname: Option<String>,
    /// `DT_RPATH`: where it looks for libraries before anything else.
    pub rpath: Option<String>,
    /// `DT_RUNPATH`: where it looks for libraries after `LD_LIBRARY_PATH`.
    pub runpath: Option<String>,
}

/// A file begins as an ELF file and is none.
#[derive(Debug, thiserror::Error)]
pub enum InspectElfError {
    /// A header or a segment points outside the file.
    #[error("the ELF file is damaged")]
    Damaged(#[from] object::read::Error),
    /// The dynamic section points outside the segments or outside its string table.
    #[error("the dynamic section of the ELF file is damaged")]
    DamagedDynamic,
}

/// Reads what an ELF file says about itself; nothing when the bytes are not one.
///
/// Looks at program headers and not at sections, as the loader does; sections may be stripped.
///
/// # Errors
/// [`InspectElfError`] when the file is damaged.
pub fn inspect_elf(bytes: &[u8]) -> Result<Option<ElfFacts>, InspectElfError> {
    let Some(machine) = ElfMachine::from_start(bytes) else {
        return Ok(None);
    };
    match machine.class {
        ElfClass::Bits32 => read_facts::<FileHeader32<object::Endianness>>(machine, bytes).map(Some),
        ElfClass::Bits64 => read_facts::<FileHeader64<object::Endianness>>(machine, bytes).map(Some),
    }
}

fn read_facts<Elf: FileHeader<Endian = object::Endianness>>(
    machine: ElfMachine,
    bytes: &[u8],
) -> Result<ElfFacts, InspectElfError> {
    let header = Elf::parse(bytes)?;
    let endian = header.endian()?;
    let segments = header.program_headers(endian, bytes)?;
    let mut dynamic: Vec<(i64, u64)> = Vec::new();
    for segment in segments {
        let entries = segment.dynamic(endian, bytes)?.unwrap_or_default().iter();
        let entries = entries.map(|entry| (entry.tag(endian), entry.val(endian)));
        dynamic.extend(entries.take_while(|(tag, _)| *tag != DT_NULL));
    }
    let value = |wanted: i64| dynamic.iter().find(|(tag, _)| *tag == wanted).map(|(_, value)| *value);
    let strings = match (value(DT_STRTAB), value(DT_STRSZ)) {
        (Some(address), Some(size)) => bytes_at::<Elf>(segments, endian, bytes, address, size)?,
        (None, None) => &[],
        _ => return Err(InspectElfError::DamagedDynamic),
    };
    let texts = |wanted: i64| {
        let offsets = dynamic.iter().filter(move |(tag, _)| *tag == wanted).map(|(_, offset)| *offset);
        offsets.map(|offset| text_at(strings, offset)).collect::<Result<Vec<String>, _>>()
    };
    let versions = match (value(DT_VERNEED), value(DT_VERNEEDNUM)) {
        (Some(address), Some(count)) => {
            read_versions::<Elf>(endian, bytes_from::<Elf>(segments, endian, bytes, address)?, count, strings)?
        }
        _ => vec![],
    };
    Ok(ElfFacts {
        machine,
        needed: texts(DT_NEEDED)?,
        versions,
        needs_gnu_hash: value(DT_GNU_HASH).is_some() && value(DT_HASH).is_none(),
        soname: texts(DT_SONAME)?.pop(),
        rpath: texts(DT_RPATH)?.pop(),
        runpath: texts(DT_RUNPATH)?.pop(),
    })
}

fn bytes_at<'a, Elf: FileHeader<Endian = object::Endianness>>(
    segments: &[Elf::ProgramHeader],
    endian: object::Endianness,
    bytes: &'a [u8],
    address: u64,
    size: u64,
) -> Result<&'a [u8], InspectElfError> {
    let loaded = segments.iter().filter(|segment| segment.p_type(endian) == PT_LOAD);
    let mut ranges = loaded.filter_map(|segment| segment.data_range(endian, bytes, address, size).ok().flatten());
    ranges.next().ok_or(InspectElfError::DamagedDynamic)
}

/// Returns the bytes of a loaded segment from an address to its end.
fn bytes_from<'a, Elf: FileHeader<Endian = object::Endianness>>(
    segments: &[Elf::ProgramHeader],
    endian: object::Endianness,
    bytes: &'a [u8],
    address: u64,
) -> Result<&'a [u8], InspectElfError> {
    let rest = |segment: &Elf::ProgramHeader| {
        let data = segment.data(endian, bytes).ok()?;
        data.get(usize::try_from(address.checked_sub(segment.p_vaddr(endian).into())?).ok()?..)
    };
    let loaded = segments.iter().filter(|segment| segment.p_type(endian) == PT_LOAD);
    let mut found = loaded.filter_map(rest);
    found.next().ok_or(InspectElfError::DamagedDynamic)
}

fn text_at(strings: &[u8], offset: u64) -> Result<String, InspectElfError> {
    let text = || {
        let rest = strings.get(usize::try_from(offset).ok()?..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        Some(String::from_utf8_lossy(&rest[..end]).into_owned())
    };
    text().ok_or(InspectElfError::DamagedDynamic)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A 64-bit little-endian shared object: header, `PT_LOAD` and `PT_DYNAMIC`, dynamic section, strings.
    fn shared_object(strings: &[u8], entries: &[(i64, u64)]) -> Vec<u8> {
        let (dynamic_at, dynamic_size) = (64 + 2 * 56, 16 * (entries.len() as u64 + 3));
        let strings_at = dynamic_at + dynamic_size;
        let total = strings_at + strings.len() as u64;
        let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        let half = |bytes: &mut Vec<u8>, values: &[u16]| bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        let word = |bytes: &mut Vec<u8>, values: &[u32]| bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        let long = |bytes: &mut Vec<u8>, values: &[u64]| bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        half(&mut bytes, &[3, EM_X86_64]);
        word(&mut bytes, &[1]);
        long(&mut bytes, &[0, 64, 0]);
        word(&mut bytes, &[0]);
        half(&mut bytes, &[64, 56, 2, 64, 0, 0]);
        word(&mut bytes, &[PT_LOAD, 4]);
        long(&mut bytes, &[0, 0x1000, 0x1000, total, total, 0x1000]);
        word(&mut bytes, &[2, 4]);
        long(&mut bytes, &[dynamic_at, 0x1000 + dynamic_at, 0x1000 + dynamic_at, dynamic_size, dynamic_size, 8]);
        for (tag, value) in entries {
            long(&mut bytes, &[u64::try_from(*tag).unwrap(), *value]);
        }
        long(&mut bytes, &[5, 0x1000 + strings_at, 10, strings.len() as u64, 0, 0]);
        bytes.extend_from_slice(strings);
        bytes
    }

    const STRINGS: &[u8] = b"\0libpq.so.5\0libc.so.6\0_speedups.so\0$ORIGIN/../lib\0";

    #[test]
    fn the_dynamic_section_is_read() {
        let bytes = shared_object(STRINGS, &[(DT_NEEDED, 1), (DT_NEEDED, 12), (DT_SONAME, 22), (DT_RUNPATH, 35)]);
        let expect = ElfFacts {
            machine: ElfMachine::of_architecture("amd64").unwrap(),
            needed: vec!["libpq.so.5".into(), "libc.so.6".into()],
            versions: vec![],
            needs_gnu_hash: false,
            soname: Some("_speedups.so".into()),
            rpath: None,
            runpath: Some("$ORIGIN/../lib".into()),
        };
        assert_eq!(inspect_elf(&bytes).unwrap(), Some(expect));
    }

    #[test]
    fn an_rpath_is_not_a_runpath() {
        let facts = inspect_elf(&shared_object(STRINGS, &[(DT_RPATH, 35)])).unwrap().unwrap();
        assert_eq!((facts.rpath.as_deref(), facts.runpath), (Some("$ORIGIN/../lib"), None));
    }

    #[test]
    fn a_file_that_points_outside_itself_is_damaged() {
        let bytes = shared_object(STRINGS, &[(DT_NEEDED, 500)]);
        assert!(matches!(inspect_elf(&bytes), Err(InspectElfError::DamagedDynamic)));
        let whole = shared_object(STRINGS, &[(DT_NEEDED, 1)]);
        for end in [ElfMachine::START, 63, 100, whole.len() - 1] {
            assert!(inspect_elf(&whole[..end]).is_err(), "cut to {end} bytes");
        }
    }

    #[test]
    fn other_files_are_not_elf() {
        for bytes in [&b""[..], b"\x7fELF", b"#!/bin/sh\nset -e\nexit 0\n", &[b"\x7fELF", &[9; 60][..]].concat()] {
            assert!(inspect_elf(bytes).unwrap().is_none());
        }
    }

    #[test]
    fn machines_have_the_names_of_architectures() {
        for name in ["amd64", "arm64", "i386", "s390x", "x32"] {
            assert_eq!(ElfMachine::of_architecture(name).unwrap().to_string(), name);
        }
        let bpf = machine(ElfClass::Bits64, Endianness::Little, 247);
        assert_eq!(bpf.to_string(), "ELF machine 247 (Bits64, Little endian)");
        assert_eq!(ElfMachine::of_architecture("all"), None);
        let mut big = shared_object(STRINGS, &[]);
        (big[5], big[18], big[19]) = (2, 0, 22);
        assert_eq!(ElfMachine::from_start(&big).unwrap().to_string(), "s390x");
    }
}
