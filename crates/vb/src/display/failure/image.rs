//! What to do about an image that no root is made of.

use vb_platform::image::ImageError;

pub(super) fn help(error: &ImageError) -> String {
    match error {
        ImageError::Read { .. } => "check `image` in the platform's file: it wants a `.tar`, which may be compressed",
        ImageError::UnsafePath { .. } => "pack the image in its own directory: `tar -C ROOT -cf image.tar .`",
        ImageError::Special { .. } => "pack the image without it: `tar --exclude=./dev/* …`",
        ImageError::Privileged { .. } => "pack the image without these bits: `tar --mode=ug-s …`",
        ImageError::Through { .. } | ImageError::NoTarget { .. } => "pack the image again; it contradicts itself",
        ImageError::Write { .. } => "check the disk and the permissions of the store",
    }
    .to_owned()
}
