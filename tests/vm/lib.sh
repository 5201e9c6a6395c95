# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Functions for what runs inside the virtual host: its init, and test scenarios. Source it:
#   . "$DAXCOLOR_VM_LIB"

# For <kernel> and <initrd> of guests; see guest/ in README.md.
# shellcheck disable=SC2034
{
  GUEST_PAYLOAD=/var/lib/libvirt/images/daxcolor-payload.elf
  GUEST_KERNEL=/boot/vmlinuz-$(uname -r)
  GUEST_INITRD=/var/lib/libvirt/images/daxcolor-guest-initrd
}

vm_note() {
  printf 'vm: %s\n' "$*" >&2
}

vm_die() {
  vm_note "$*"
  exit 1
}

# wait_for SECONDS COMMAND...: until COMMAND succeeds; false when it has not in that time.
wait_for() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || return 1
    sleep 0.1
  done
}

process_gone() {
  ! kill -0 "$1" 2>/dev/null
}

# stop_process PID [SECONDS]: SIGTERM, then SIGKILL if it is still there after SECONDS.
stop_process() {
  kill -TERM "$1" 2>/dev/null || return 0
  wait_for "${2:-20}" process_gone "$1" && return
  kill -KILL "$1" 2>/dev/null || return 0
  wait_for 10 process_gone "$1"
}

pid_in() {
  [[ -s $1 ]] && cat "$1"
}

# reset_host: at once, as a watchdog would: nothing is written, nobody is told.
reset_host() {
  echo b >/proc/sysrq-trigger
  sleep 60
}

# ---- device-dax ----

# As a host for daxcolor must have it: regions whole and idle, kmem kept away.
load_dax() {
  modprobe dax_hmem region_idle=1 || vm_die "cannot load dax_hmem"
  modprobe device_dax || vm_die "cannot load device_dax"
}

unload_dax() {
  modprobe -r dax_hmem device_dax
}

# load_dax_color [BIND]: dax_color has all soft-reserved memory, as where its modprobe.d snippet
# and dax-color-bind are installed; BIND is another dax-color-bind than the installed one.
load_dax_color() {
  modprobe dax_hmem region_idle=1 || vm_die "cannot load dax_hmem"
  "${1:-/usr/libexec/daxcolor/dax-color-bind}" || vm_die "cannot give memory to dax_color"
}

# ---- KVM in the virtual host ----

load_kvm() {
  local vendor=kvm-intel
  grep -qw svm /proc/cpuinfo && vendor=kvm-amd
  grep -Eqw 'svm|vmx' /proc/cpuinfo || vm_die "this virtual host has no KVM: boot it with --nested"
  # What modprobe would not pull in by itself differs between kernels.
  modprobe -a irqbypass kvm
  modprobe ccp 2>/dev/null || true
  modprobe "$vendor" || vm_die "cannot load $vendor"
  wait_for 5 test -c /dev/kvm || vm_die "$vendor is loaded, but there is no /dev/kvm"
  # udev does this on a real host.
  chgrp kvm /dev/kvm
  chmod 0660 /dev/kvm
}

# ---- AppArmor ----

# Debian's profiles of libvirt, enforced. Before libvirtd starts, which asks once.
load_apparmor() {
  grep -q Y /sys/module/apparmor/parameters/enabled 2>/dev/null ||
    vm_die "AppArmor is off in this kernel: boot the virtual host with --apparmor"
  # Same policy, compiled in less than half the time; libvirt compiles a guest's profile six times.
  grep -qs '^Optimize=no-minimize' /etc/apparmor/parser.conf ||
    printf 'Optimize=no-expr-simplify\nOptimize=no-minimize\n' >>/etc/apparmor/parser.conf
  apparmor_parser --replace /etc/apparmor.d/usr.lib.libvirt.virt-aa-helper \
    /etc/apparmor.d/usr.sbin.libvirtd || vm_die "cannot load libvirt's AppArmor profiles"
}

# apparmor_profile PID: the profile and mode that confine it, "unconfined" if none.
apparmor_profile() {
  cat "/proc/$1/attr/apparmor/current" 2>/dev/null || cat "/proc/$1/attr/current"
}

# ---- libvirt ----

LIBVIRTD_PIDFILE=/run/libvirtd.pid
VIRTLOGD_PIDFILE=/run/virtlogd.pid

start_virtlogd() {
  local pid
  pid=$(pid_in "$VIRTLOGD_PIDFILE") && ! process_gone "$pid" && return
  /usr/sbin/virtlogd --daemon --pid-file "$VIRTLOGD_PIDFILE" || vm_die "cannot start virtlogd"
}

libvirtd_answers() {
  virsh -q -c qemu:///system version
}

start_libvirtd() {
  start_virtlogd
  /usr/sbin/libvirtd --daemon --pid-file "$LIBVIRTD_PIDFILE" || vm_die "cannot start libvirtd"
  wait_for "${1:-120}" libvirtd_answers || vm_die "libvirtd does not answer; see $(libvirtd_log)"
}

# Its running guests stay.
stop_libvirtd() {
  local pid
  pid=$(pid_in "$LIBVIRTD_PIDFILE") || return 0
  stop_process "$pid"
  rm -f "$LIBVIRTD_PIDFILE"
}

restart_libvirtd() {
  stop_libvirtd
  start_libvirtd "$@"
}

libvirtd_log() {
  echo /var/log/libvirt/libvirtd.log
}

# domain_pid NAME: the pid of its emulator.
domain_pid() {
  pid_in "/run/libvirt/qemu/$1.pid"
}

domain_is() {
  [[ $(virsh -q -c qemu:///system domstate "$1" 2>/dev/null) == "$2" ]]
}

# wait_domain NAME STATE SECONDS: until virsh domstate says STATE ("running", "shut off", ...).
wait_domain() {
  wait_for "$3" domain_is "$1" "$2"
}

# wait_text FILE REGEX SECONDS: until FILE has a line that matches.
wait_text() {
  wait_for "$3" grep -Eaq -- "$2" "$1"
}
