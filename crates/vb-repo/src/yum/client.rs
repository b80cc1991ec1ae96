//! What a client needs to use a repository: a file for `/etc/yum.repos.d`.

use super::publication::MIRROR_LIST;

/// A repository as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepoFile<'a> {
    /// The section's name, by which `dnf --repo` knows it: `vrmd-el9-production`.
    pub id: &'a str,
    /// What people read.
    pub name: &'a str,
    /// Where the repository is: the address that serves its top directory.
    pub url: &'a str,
    /// The channel's directory below it, where architectures are: `rpm/el9-production`.
    pub path: &'a str,
    /// Does the repository know its address, so that it has a list of mirrors?
    pub has_mirror_list: bool,
    /// Where the keys are that packages and indexes are signed with.
    pub keys: &'a [String],
    /// Are the packages themselves signed, so that clients can insist on it?
    pub has_signed_packages: bool,
}

/// Returns the text of a `.repo` file (`dnf.conf(5)`), with signature checks on.
pub fn repo_file(repo: &RepoFile<'_>) -> String {
    let url = repo.url.trim_end_matches('/');
    let gpgcheck = u8::from(repo.has_signed_packages);
    let base = format!("{url}/{}/$basearch", repo.path);
    let location =
        if repo.has_mirror_list { format!("mirrorlist={base}/{MIRROR_LIST}") } else { format!("baseurl={base}") };
    // Several keys are one value, on lines that begin with a space.
    let keys = repo.keys.join("\n       ");
    format!(
        "[{}]\nname={}\n{location}\nenabled=1\ngpgcheck={gpgcheck}\nrepo_gpgcheck=1\ngpgkey={keys}\n",
        repo.id, repo.name
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repo_file_has_both_keys_and_both_checks() {
        let keys = ["https://repo.example.org/key-1.asc".to_owned(), "https://repo.example.org/key-2.asc".to_owned()];
        let repo = RepoFile {
            id: "vrmd-el9-production",
            name: "vrmd production for el9",
            url: "https://repo.example.org/",
            path: "rpm/el9-production",
            has_mirror_list: false,
            keys: &keys,
            has_signed_packages: true,
        };
        assert_eq!(
            repo_file(&repo),
            "[vrmd-el9-production]\nname=vrmd production for el9\n\
             baseurl=https://repo.example.org/rpm/el9-production/$basearch\nenabled=1\ngpgcheck=1\nrepo_gpgcheck=1\n\
             gpgkey=https://repo.example.org/key-1.asc\n       https://repo.example.org/key-2.asc\n"
        );
        assert!(
            repo_file(&RepoFile { has_signed_packages: false, ..repo }).contains("\ngpgcheck=0\nrepo_gpgcheck=1\n")
        );
        let listed = repo_file(&RepoFile { has_mirror_list: true, ..repo });
        assert!(listed.contains("\nmirrorlist=https://repo.example.org/rpm/el9-production/$basearch/mirrorlist\n"));
        assert!(!listed.contains("baseurl"));
    }
}
