# SPDX-License-Identifier: GPL-2.0
#
# For people; the kernel's build reads Kbuild.

KDIR ?= /lib/modules/$(shell uname -r)/build
KERNEL ?= 6.1

kbuild = $(MAKE) -C $(KDIR) M=$(CURDIR)

modules:
	$(kbuild) modules

modules_install:
	$(kbuild) modules_install

clean:
	$(kbuild) clean
	rm -rf build

demo test race bench budgets check:
	@scripts/$@.sh

shell:
	@scripts/shell.sh $(KERNEL)

help:
	@echo 'On this machine (KDIR=folder for other headers than the running kernel'"'"'s):'
	@echo '  modules          build the modules (default)'
	@echo '  modules_install  install them'
	@echo '  clean            remove what was built; the kernels in the cache stay'
	@echo ''
	@echo 'In virtual machines; nothing needs to be installed or prepared:'
	@echo '  demo             see it work'
	@echo '  shell            a shell with everything loaded'
	@echo '                   (KERNEL=6.1, 6.12, uml, uml-debug or kcsan)'
	@echo '  test             all tests on all kernels'
	@echo '  race             the tests under the race detector'
	@echo '  bench            the benchmarks'
	@echo '  budgets          the benchmarks against their budgets'
	@echo '  check            coding style, static checkers, documentation'

.PHONY: modules modules_install clean demo test race bench budgets check \
	shell help
