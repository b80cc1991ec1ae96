//! The symbol versions that an ELF file needs of its libraries (`DT_VERNEED`).

use object::{
    elf::{Vernaux, Verneed},
    read::{ReadRef, elf::FileHeader},
};
use serde::{Deserialize, Serialize};

use super::{InspectElfError, text_at};

/// A version that a file needs of a library: `GLIBC_2.14` of `libc.so.6`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NeededVersion {
    /// The soname of the library.
    pub library: String,
    /// The name of the version.
    pub version: String,
}

/// Reads `count` records from the bytes that begin with the first of them.
pub(super) fn read_versions<Elf: FileHeader<Endian = object::Endianness>>(
    endian: object::Endianness,
    bytes: &[u8],
    count: u64,
    strings: &[u8],
) -> Result<Vec<NeededVersion>, InspectElfError> {
    let mut versions = Vec::new();
    let mut record_at = 0_u64;
    for _ in 0..count {
        let record: &Verneed<Elf::Endian> = bytes.read_at(record_at).map_err(|()| InspectElfError::DamagedDynamic)?;
        let library = text_at(strings, record.vn_file.get(endian).into())?;
        let mut name_at = record_at + u64::from(record.vn_aux.get(endian));
        for _ in 0..record.vn_cnt.get(endian) {
            let name: &Vernaux<Elf::Endian> = bytes.read_at(name_at).map_err(|()| InspectElfError::DamagedDynamic)?;
            let version = text_at(strings, name.vna_name.get(endian).into())?;
            versions.push(NeededVersion { library: library.clone(), version });
            name_at += u64::from(name.vna_next.get(endian));
        }
        record_at += u64::from(record.vn_next.get(endian));
    }
    Ok(versions)
}
