"""Packaging of disanat."""

from setuptools import find_packages, setup

COMMANDS = {
    "disanat": "disanat.cli.main:main",
    "disanat_plan_and_preprocess": "planning.cli:main",
    "disanat_train": "disanat.cli.train:main",
    "disanat_predict": "disanat.cli.predict:main",
    "disanat_evaluate": "disanat.cli.evaluate:main",
    "disanat_compare": "disanat.cli.compare:main",
    "disanat_report": "disanat.cli.report:main",
    "disanat_audit": "disanat.cli.audit:main",
    "disanat_calibrate": "disanat.cli.calibrate:main",
    "disanat_stress": "disanat.cli.stress:main",
    "disanat_export_model": "disanat.cli.export_model:main",
    "disanat_import_model": "disanat.cli.import_model:main",
    "disanat_models": "disanat.cli.models:main",
    "disanat_convert": "dataset_conversion.cli:main",
}

setup(
    name="disanat",
    version="0.1.0",
    description="Finds lesions in brain MRI without ever having seen one",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(
        include=["disanat", "disanat.*", "planning", "planning.*"]
        + ["dataset_conversion", "dataset_conversion.*"]
    ),
    package_data={
        "disanat": [
            "py.typed",
            "pretrained/*.safetensors",
            "pretrained/dal/*",
            "reporting/report/assets/*",
        ],
        "planning": ["py.typed"],
        "dataset_conversion": ["py.typed"],
    },
    install_requires=[
        "acvl-utils>=0.2",
        "batchgenerators>=0.25",
        "blosc2>=3.0",
        "cattrs>=23.2",
        "dynamic-network-architectures>=0.4",
        "jinja2",
        "markupsafe",
        "matplotlib",
        "nibabel",
        "nilearn>=0.14",
        "numpy",
        "pebble>=5.0",
        "pillow>=10.1",
        "portalocker>=3.0",
        "psutil",
        "pydicom>=3.0",
        "pylops>=2.8",
        "pyproximal>=0.12",
        "scikit-image",
        "scikit-learn",
        "scipy",
        "safetensors>=0.4",
        "SimpleITK>=2.3",
        "torch>=2.11",
        "tqdm",
    ],
    extras_require={
        "dicom": ["highdicom>=0.23"],
        "completion": ["argcomplete>=3.0"],
        "tensorboard": ["tensorboard"],
        "dev": [
            "argcomplete>=3.0",
            "bandit",
            "highdicom>=0.23",
            "hypothesis",
            "import-linter",
            "ipykernel",
            "mkdocs-material>=9.5",
            "mypy",
            "nbclient",
            "nbformat",
            "pytest",
            "pytest-timeout",
            "pytest-xdist",
            "ruff",
            "selenium",
            "tensorboard",
        ]
    },
    entry_points={"console_scripts": [f"{name}={target}" for name, target in COMMANDS.items()]},
)
