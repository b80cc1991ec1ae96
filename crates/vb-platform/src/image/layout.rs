//! A directory in the image layout of the Open Container Initiative (image-spec, `image-layout.md`).
//!
//! The image is the one whose manifest has a given digest; every blob is named by its SHA-256, so nothing else of the
//! directory is believed, `index.json` included.

use serde::Deserialize;
use sha2::{Digest, Sha256 as Hasher};
use vb_fetch::{FetchError, Fetcher, without_credentials};
use vb_graph::Sha256;

/// The layout does not hold the image.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// The manifest cannot be had.
    #[error("cannot read the image's manifest")]
    Fetch {
        /// Why not.
        #[source]
        source: FetchError,
    },
    /// The manifest is not the one that was asked for.
    #[error("`{location}` has not the digest in its name")]
    Digest {
        /// The blob.
        location: String,
    },
    /// The manifest is not JSON of an image.
    #[error("`{location}` is no manifest of an image")]
    Manifest {
        /// The blob.
        location: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A layer is named by another digest than a SHA-256, or is no archive that vb reads.
    #[error("a layer of the image is `{layer}`, which vb does not read")]
    Layer {
        /// Its media type and digest.
        layer: String,
    },
}

/// One layer of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageLayer {
    /// Its path below the layout: `blobs/sha256/…`.
    pub path: String,
    /// Its SHA-256.
    pub sha256: Sha256,
    /// Its size in bytes.
    pub size: u64,
}

#[derive(Deserialize)]
struct Manifest {
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    size: u64,
}

/// Lists the layers of the image whose manifest has a digest, the lowest first. The layout is a directory or a URL.
///
/// # Errors
/// See [`LayoutError`].
pub fn find_layers(fetcher: &Fetcher, layout: &str, manifest: &Sha256) -> Result<Vec<ImageLayer>, LayoutError> {
    let location = format!("{}/{}", layout.trim_end_matches('/'), blob(manifest));
    let bytes = fetcher.get(&location).map_err(|source| LayoutError::Fetch { source })?;
    let location = without_credentials(&location);
    if hex::encode(Hasher::digest(&bytes)) != manifest.to_string() {
        return Err(LayoutError::Digest { location });
    }
    let manifest: Manifest =
        serde_json::from_slice(&bytes).map_err(|source| LayoutError::Manifest { location, source })?;
    manifest.layers.iter().map(to_layer).collect()
}

fn blob(digest: &Sha256) -> String {
    format!("blobs/sha256/{digest}")
}

fn to_layer(descriptor: &Descriptor) -> Result<ImageLayer, LayoutError> {
    let Descriptor { media_type, digest, size } = descriptor;
    let refused = || LayoutError::Layer { layer: format!("{media_type} {digest}") };
    let is_archive = media_type.contains(".layer.") || media_type.contains("rootfs.diff.tar");
    let sha256 = digest.strip_prefix("sha256:").and_then(|hex| hex.parse::<Sha256>().ok());
    let sha256 = sha256.filter(|_| is_archive && !media_type.contains("encrypted")).ok_or_else(refused)?;
    Ok(ImageLayer { path: blob(&sha256), sha256, size: *size })
}
