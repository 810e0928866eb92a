# SPDX-License-Identifier: GPL-2.0
#
# Targets for developers; the kernel's build reads Kbuild.

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

# The command-line tool needs libsmartcols and ncurses.
PREFIX ?= /usr/local
TOOL_CFLAGS = -O2 -g -Wall -Wextra $(CFLAGS)
tool := build/memquotactl
tool_sources := $(wildcard uapi/memquotactl/*.c)
tool_headers := uapi/memquotactl/memquotactl.h uapi/linux/memquota.h

tool: $(tool)

$(tool): $(tool_sources) $(tool_headers)
	@mkdir -p build
	$(CC) $(TOOL_CFLAGS) -std=gnu11 -D_GNU_SOURCE -Iuapi $(LDFLAGS) -o $@ \
		$(tool_sources) -lsmartcols -lncursesw -lm

install-tool: $(tool)
	install -D -m 755 $(tool) $(DESTDIR)$(PREFIX)/bin/memquotactl
	install -D -m 644 uapi/man/memquotactl.8 \
		$(DESTDIR)$(PREFIX)/share/man/man8/memquotactl.8
	install -D -m 644 uapi/man/memquota.4 \
		$(DESTDIR)$(PREFIX)/share/man/man4/memquota.4
	install -D -m 644 uapi/completion/memquotactl \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/memquotactl
	install -D -m 644 uapi/60-memquota.rules \
		$(DESTDIR)$(PREFIX)/lib/udev/rules.d/60-memquota.rules
	install -D -m 644 uapi/memquota.conf \
		$(DESTDIR)$(PREFIX)/lib/sysusers.d/memquota.conf

demo test race rt models bench budgets check:
	@scripts/$@.sh

shell:
	@scripts/shell.sh $(KERNEL)

help:
	@echo 'On this machine (KDIR=folder: headers of another kernel than the running one):'
	@echo '  modules          build the modules (default)'
	@echo '  modules_install  install the modules'
	@echo '  tool             build the command-line tool, build/memquotactl; needs'
	@echo '                   libsmartcols-dev and libncurses-dev'
	@echo '  install-tool     install the tool, its manual and the udev rule'
	@echo '                   (PREFIX=/usr/local, DESTDIR=)'
	@echo '  clean            remove build output; keep the kernels in the cache'
	@echo ''
	@echo 'In virtual machines, without further preparation:'
	@echo '  demo             run the demo'
	@echo '  shell            open a shell with all modules loaded'
	@echo '                   (KERNEL=6.1, 6.12, 6.1-rt, uml, uml-debug, kcsan or rt)'
	@echo '  test             run all tests on all kernels'
	@echo '  race             run the tests under KCSAN'
	@echo '  rt               run the tests on PREEMPT_RT with lockdep'
	@echo '  bench            run the benchmarks'
	@echo '  budgets          compare the benchmarks with their budgets'
	@echo '  check            check coding style, layers, warnings, documentation'
	@echo '  models           check the order of memory accesses with herd7 and the'
	@echo '                   kernel'"'"'s memory model (no virtual machine)'

.PHONY: modules modules_install clean tool install-tool demo test race rt models \
	bench budgets check shell help
