//! Tells which kernel setting refuses a sandbox.

use std::path::Path;

use nix::errno::Errno;

use crate::{KernelSetting, SandboxError, Step};

/// Turns a failed step into an error, naming the kernel setting that is in the way if there is one.
/// `sysctls` is `/proc/sys`.
pub(crate) fn explain(step: Step, errno: Errno, sysctls: &Path) -> SandboxError {
    let suspects: &[(KernelSetting, &str)] = match (&step, errno) {
        (Step::CreateNamespaces | Step::TakeIdentity, Errno::ENOSPC | Errno::EUSERS) => {
            return SandboxError::Refused {
                setting: KernelSetting::MaxUserNamespaces,
                value: read(KernelSetting::MaxUserNamespaces, sysctls).unwrap_or_default(),
                step,
                errno,
            };
        }
        (
            // AppArmor lets the namespace be made and then denies every capability in it, so that the refusal shows at
            // the first use of one.
            Step::CreateNamespaces | Step::MapUser | Step::SetHostname | Step::TakeIdentity,
            Errno::EPERM | Errno::EACCES,
        ) => &[(KernelSetting::UnprivilegedUsernsClone, "0"), (KernelSetting::ApparmorRestrictUnprivilegedUserns, "1")],
        _ => &[],
    };
    for &(setting, refusing) in suspects {
        if let Some(value) = read(setting, sysctls)
            && value == refusing
        {
            return SandboxError::Refused { setting, value, step, errno };
        }
    }
    SandboxError::Setup { step, errno }
}

fn read(setting: KernelSetting, sysctls: &Path) -> Option<String> {
    let path = sysctls.join(setting.name().replace('.', "/"));
    let text = fs_err::read_to_string(path).ok()?;
    Some(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(settings: &[(&str, &str)], step: Step, errno: Errno) -> String {
        let dir = tempfile::tempdir().unwrap();
        for (path, value) in settings {
            let path = dir.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, value).unwrap();
        }
        explain(step, errno, dir.path()).to_string()
    }

    #[test]
    fn the_setting_of_debian_is_named() {
        let text = explained(&[("kernel/unprivileged_userns_clone", "0\n")], Step::CreateNamespaces, Errno::EPERM);
        assert_eq!(
            text,
            "the sandbox could not create its namespaces because the kernel setting \
             `kernel.unprivileged_userns_clone` is `0`"
        );
    }

    #[test]
    fn the_setting_of_ubuntu_is_named() {
        for step in [Step::MapUser, Step::SetHostname] {
            let text = explained(
                &[("kernel/unprivileged_userns_clone", "1\n"), ("kernel/apparmor_restrict_unprivileged_userns", "1\n")],
                step,
                Errno::EACCES,
            );
            assert!(text.contains("`kernel.apparmor_restrict_unprivileged_userns` is `1`"), "{text}");
        }
    }

    #[test]
    fn an_exhausted_limit_is_named() {
        let text = explained(&[("user/max_user_namespaces", "0\n")], Step::CreateNamespaces, Errno::ENOSPC);
        assert!(text.contains("`user.max_user_namespaces` is `0`"), "{text}");
    }

    #[test]
    fn a_setting_that_permits_is_not_blamed() {
        let text = explained(
            &[("kernel/unprivileged_userns_clone", "1\n"), ("kernel/apparmor_restrict_unprivileged_userns", "0\n")],
            Step::CreateNamespaces,
            Errno::EPERM,
        );
        assert_eq!(text, "the sandbox could not create its namespaces");
    }

    #[test]
    fn a_file_without_permission_is_not_blamed_on_the_kernel() {
        let path = crate::HostPath::new("/secret").unwrap();
        let text = explained(
            &[("kernel/apparmor_restrict_unprivileged_userns", "1\n")],
            Step::OpenLayer { path },
            Errno::EACCES,
        );
        assert_eq!(text, "the sandbox could not open the layer `/secret`");
    }
}
