"""From a source to windows and back; the lowest of the four floors."""

import importlib.util


def package_files(package: str):
    """Give the folder of an installed package without importing the package."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise ModuleNotFoundError(
            f"{package}, which holds these data, is not installed; run "
            'pip install "gan-notes[sample]".'
        )
    return spec.loader.get_resource_reader(package).files()
