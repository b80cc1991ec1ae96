//! The symbols that an ELF file takes from its libraries.

use object::{
    elf::{FileHeader32, FileHeader64, SHT_DYNSYM},
    read::elf::{FileHeader, Sym},
};

use super::{ElfClass, ElfMachine, InspectElfError};

/// A symbol that a file takes from one of its libraries.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UndefinedSymbol {
    /// Its name: `memcpy`.
    pub name: String,
    /// The version that is needed of it, `GLIBC_2.14`, where the library has versions.
    pub version: Option<String>,
}

/// Returns the symbols that a file takes from its libraries; none when the bytes are no ELF file, or one whose section
/// headers were taken out.
///
/// # Errors
/// [`InspectElfError`] when the file is damaged.
pub fn undefined_symbols(bytes: &[u8]) -> Result<Vec<UndefinedSymbol>, InspectElfError> {
    match ElfMachine::from_start(bytes).map(|machine| machine.class) {
        None => Ok(vec![]),
        Some(ElfClass::Bits32) => read::<FileHeader32<object::Endianness>>(bytes),
        Some(ElfClass::Bits64) => read::<FileHeader64<object::Endianness>>(bytes),
    }
}

fn read<Elf: FileHeader<Endian = object::Endianness>>(bytes: &[u8]) -> Result<Vec<UndefinedSymbol>, InspectElfError> {
    let header = Elf::parse(bytes)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, bytes)?;
    let symbols = sections.symbols(endian, bytes, SHT_DYNSYM)?;
    let versions = sections.versions(endian, bytes)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut found = Vec::new();
    for (index, symbol) in symbols.enumerate() {
        let name = symbols.symbol_name(endian, symbol)?;
        if name.is_empty() || !symbol.is_undefined(endian) {
            continue;
        }
        let version = match &versions {
            Some(table) => table.version(table.version_index(endian, index))?.map(|version| text(version.name())),
            None => None,
        };
        found.push(UndefinedSymbol { name: text(name), version });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_symbols_of_the_test_itself_are_those_of_the_libc() {
        let bytes = fs_err::read(std::env::current_exe().unwrap()).unwrap();
        let symbols = undefined_symbols(&bytes).unwrap();
        let malloc = symbols.iter().find(|symbol| symbol.name == "malloc").unwrap();
        assert!(malloc.version.as_ref().unwrap().starts_with("GLIBC_2."), "{malloc:?}");
        assert!(symbols.iter().all(|symbol| !symbol.name.is_empty()));
    }

    #[test]
    fn what_is_no_elf_file_takes_nothing() {
        assert_eq!(undefined_symbols(b"#!/bin/sh\n").unwrap(), []);
        assert!(undefined_symbols(&[b"\x7fELF\x02\x01", &[0; 40][..]].concat()).is_err());
    }
}
