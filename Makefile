# Two commands: `make start` and `make test`. The rest is `course --help`.
#   make start               the engine, the cluster, JupyterLab at the course map
#   make start HEADLESS=1    the same without a browser: runs the first lesson, prints its result
#   make start ENGINE=kind   with an engine of your choice
#   make start BUNDLE=FILE   from a bundle (course bundle save FILE), where no registry is in reach;
#                            root adds BUNDLE_SHA256=…, as it was printed there, or types it
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

UV_VERSION := 0.13.9
# Not .venv/bin/course: its first line cannot hold every path.
COURSE := .venv/bin/python -m course.cli
ifdef ENGINE
export COURSE_ENGINE := $(ENGINE)
endif
# What is set for another Python, or for every shell, must not be taken for ours. What names a
# company's mirrors and authorities stays.
unexport VIRTUAL_ENV CONDA_PREFIX PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONWARNINGS
unexport PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX
unexport UV_PROJECT UV_PROJECT_ENVIRONMENT UV_WORKING_DIR UV_WORKING_DIRECTORY UV_NO_EDITABLE
unexport UV_PYTHON UV_TARGET UV_SYSTEM_PYTHON UV_ENV_FILE PIP_TARGET PIP_PREFIX PIP_ROOT PIP_USER
unexport BASH_ENV ENV CDPATH

# uv: the machine's, else one that pip puts into a folder of the course's own. Paths are the
# shell's variables and always quoted: a home folder may have any name, a target of make may not.
define FIND_UV
home="$${HOME:-$$(unset HOME; echo ~)}"
cache="$${COURSE_CACHE:-$$home/.cache/course}"
case "$$cache" in "~/"*) cache="$$home/$${cache#??}"; esac
uv="$$(command -v uv || true)"
if ! "$$uv" --version >/dev/null 2>&1; then uv="$$cache/uv/bin/uv"; fi
if [ ! -x "$$uv" ]; then
  echo "… uv $(UV_VERSION)"
  if ! python3 -m venv "$$cache/uv" >/dev/null 2>&1; then
    if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
      (apt-get install -y -qq python3-venv || { apt-get update -qq; apt-get install -y -qq python3-venv; }) >/dev/null
      python3 -m venv "$$cache/uv"
    else
      echo "✗ python3 -m venv does not work here" >&2
      echo "  try:  apt-get install python3-venv   (or install uv: https://docs.astral.sh/uv)" >&2
      exit 1
    fi
  fi
  "$$cache/uv/bin/python" -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
fi
endef

# Bytecode at once: without it each first start compiles what it imports, and every start where the
# shell says PYTHONDONTWRITEBYTECODE. `--inexact` keeps what a learner added, and so what an earlier
# uv.lock had; pyproject.toml says why one of it goes.
SYNC := sync --frozen --inexact --compile-bytecode
LEAVE_OUT = "$$uv" pip uninstall --quiet --python .venv/bin/python rfc3987-syntax

.PHONY: help start stop test test-all bench

help:
	@sed -n '1,6s/^# \{0,1\}//p' Makefile

start: .venv/.ready
	@$(if $(BUNDLE),$(COURSE) bundle load "$$BUNDLE" $${BUNDLE_SHA256:+--sha256 "$$BUNDLE_SHA256"})
	$(COURSE) up $(if $(HEADLESS),--headless,--lab)

stop: .venv/.ready
	@$(COURSE) down

test: .venv/.tested
	@$(COURSE) dev test

test-all: .venv/.tested
	@$(COURSE) dev test --all $(if $(LESSON),--lesson $(LESSON))

bench: .venv/.tested
	@.venv/bin/python -m tests.bench $(ONLY)

ifdef BUNDLE
.venv/.ready: pyproject.toml uv.lock
	@echo "… the Python environment, from the bundle"
	python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "✗ Python 3.11 or later is needed" >&2; exit 1; }
	PYTHONPATH=src python3 -m course.artifacts.unbundle "$$BUNDLE" $${BUNDLE_SHA256:+"$$BUNDLE_SHA256"}
	touch $@
else
.venv/.ready: pyproject.toml uv.lock
	@$(FIND_UV)
	echo "… the Python environment"
	"$$uv" $(SYNC) --no-default-groups --quiet
	$(LEAVE_OUT)
	touch $@
endif

.venv/.tested: pyproject.toml uv.lock
	@$(FIND_UV)
	echo "… the Python environment with the tests' tools"
	"$$uv" $(SYNC) --quiet
	$(LEAVE_OUT)
	touch .venv/.ready $@
