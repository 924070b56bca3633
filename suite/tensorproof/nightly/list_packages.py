"""Prints the packages of the environment that runs it, as JSON; a script that needs nothing but Python itself."""

import hashlib
import json
import sys
from importlib.metadata import distributions


def main() -> None:
    """Print ``{"python", "base_python", "build", "packages": [{"name", "version", "url", "folder", "editable"}, …]}``.

    ``build`` is the SHA-256 of the lists of installed files, which have a digest of each.
    """
    packages = {}
    files = []
    for distribution in distributions():
        name = distribution.metadata["Name"]
        if not name or name.lower() in packages:
            continue
        files.append(distribution.read_text("RECORD") or "")
        direct = json.loads(distribution.read_text("direct_url.json") or "{}")
        url, folder = str(direct.get("url", "")), direct.get("dir_info")
        if "vcs_info" in direct:
            url = f"{direct['vcs_info']['vcs']}+{url}@{direct['vcs_info']['commit_id']}"
        local = folder is not None or url.startswith("file:")
        packages[name.lower()] = {
            "name": name,
            "version": distribution.version,
            "url": "" if local else url,
            "folder": url if local else "",
            "editable": bool((folder or {}).get("editable")),
        }
    base = getattr(sys, "_base_executable", sys.executable)
    build = hashlib.sha256("".join(sorted(files)).encode()).hexdigest()
    version = ".".join(map(str, sys.version_info[:3]))
    print(json.dumps({"python": version, "base_python": base, "build": build, "packages": list(packages.values())}))


if __name__ == "__main__":
    main()
