# Asks dnf what it would install into an empty root, for many requests over one repository.
#
# oracle.py REPOSITORY REQUESTS: REQUESTS is a JSON list of lists of strings; for each of them one line is printed: a
# sorted JSON list of `name evr arch`, or null where dnf refuses.
import json
import sys

import dnf
import dnf.exceptions


def answer(repository, request):
    base = dnf.Base()
    conf = base.conf
    conf.installroot = "/tmp/installroot"
    conf.cachedir = "/tmp/cache"
    conf.persistdir = "/tmp/persist"
    conf.logdir = "/tmp"
    conf.install_weak_deps = False
    conf.best = False
    conf.gpgcheck = False
    conf.module_platform_id = "platform:el9"
    conf.substitutions["arch"] = "x86_64"
    conf.substitutions["basearch"] = "x86_64"
    conf.substitutions["releasever"] = "9"
    base.repos.add_new_repo("fixture", conf, baseurl=["file://" + repository])
    base.fill_sack(load_system_repo=False)
    try:
        base.install_specs(request)
        base.resolve()
    except (dnf.exceptions.DepsolveError, dnf.exceptions.MarkingErrors):
        return None
    finally:
        chosen = list(base.transaction.install_set) if base.transaction else []
        base.close()
    return sorted("%s %s %s" % (p.name, p.evr, p.arch) for p in chosen)


for request in json.load(open(sys.argv[2])):
    print(json.dumps(answer(sys.argv[1], request)), flush=True)
