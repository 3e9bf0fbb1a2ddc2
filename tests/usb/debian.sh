# shellcheck shell=bash
# What `prepare` and `prepare-arm64` share: Debian's packages, and an initramfs.
#
#   rig     the folder that everything goes to
: "${rig:?}"

# What tests/usb/init and the cases load.
modules=(virtio_pci 9p 9pnet_virtio overlay loop xhci-pci usb-storage uas sd_mod usbhid hid-generic
  cdc_ether cdc_ncm vfat exfat nls_cp437 nls_ascii nls_utf8 nls_iso8859-1 vhci-hcd dummy_hcd
  libcomposite usb_f_fs usb_f_mass_storage configfs)

# modprobe and friends are not on everybody's path.
export PATH=$PATH:/usr/sbin:/sbin

# --- packages ----------------------------------------------------------------------------------

# apt as it is set up on this machine, but with its package lists, and one more suite, on a folder
# of our own: the machine's own sources stay as they are.
apt() {
  local command=$1
  shift
  DEBIAN_FRONTEND=noninteractive "$command" -o "Dir::Etc::SourceList=$rig/apt/none" \
    -o "Dir::Etc::SourceParts=$rig/apt/sources" -o "Dir::State::Lists=$rig/apt/lists" \
    -o "Dir::Cache::pkgcache=" -o "Dir::Cache::srcpkgcache=" -o "APT::Sandbox::User=root" "$@"
}

# The sources of this machine, and for Debian 12 the backports of the same mirror: Debian 12's own
# QEMU 7.2 cannot be installed beside a qemu-utils that came from there, and is untried here.
own_sources() {
  local file
  rm -rf "$rig/apt"
  mkdir -p "$rig/apt/sources" "$rig/apt/lists/partial"
  : >"$rig/apt/none"
  for file in /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list; do
    [[ ! -f $file ]] || cp "$file" "$rig/apt/sources/"
  done
  [[ ! -s /etc/apt/sources.list ]] || cp /etc/apt/sources.list "$rig/apt/sources/machine.list"
  # shellcheck source=/dev/null
  if [[ $(. /etc/os-release && echo "${VERSION_CODENAME:-}") == bookworm ]]; then
    backports
  fi
}

# The first entry that names the suite "bookworm", with the suite changed.
backports() {
  local file new=$rig/apt/sources/rig-backports
  for file in "$rig"/apt/sources/*.sources; do
    [[ -f $file ]] || continue
    awk -v RS= '/(^|\n)Suites:[^\n]* ?bookworm( |\n|$)/ { print; exit }' "$file" |
      sed 's/^Suites:.*/Suites: bookworm-backports/; /^#/d' >"$new.sources"
    [[ ! -s $new.sources ]] || return 0
    rm "$new.sources"
  done
  for file in "$rig"/apt/sources/*.list; do
    [[ -f $file ]] || continue
    sed -n 's/^\(deb \(\[[^]]*\] \)\?[^ ]\+\) bookworm /\1 bookworm-backports /p' "$file" |
      head -n 1 >"$new.list"
    [[ ! -s $new.list ]] || return 0
    rm "$new.list"
  done
}

# install_missing TOOL:PACKAGE...: installs the packages of the tools that are not there.
install_missing() {
  local pair suite=() packages=()
  for pair in "$@"; do
    command -v "${pair%%:*}" >/dev/null || packages+=("${pair##*:}")
  done
  # `busybox` alone may need the machine's libraries, which the initramfs does not have.
  if [[ " $* " == *:busybox-static* ]] && ldd "$(command -v busybox)" >/dev/null 2>&1; then
    packages+=(busybox-static)
  fi
  ((${#packages[@]} > 0)) || return 0
  if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
    echo "these Debian packages are missing and may not be installed: ${packages[*]}" >&2
    echo "install them, or run this as root on Debian 12" >&2
    return 1
  fi
  own_sources
  apt apt-get update
  if apt apt-cache policy qemu-system-x86 | grep bookworm-backports >/dev/null; then
    suite=(-t bookworm-backports)
  fi
  apt apt-get install --yes --no-install-recommends "${suite[@]}" "${packages[@]}"
}

# --- kernel ------------------------------------------------------------------------------------

# unpack_kernel DEB TREE: without what no test needs.
unpack_kernel() {
  mkdir -p "$2"
  dpkg --fsys-tarfile "$1" | tar -x -C "$2" --wildcards \
    --exclude='*/kernel/drivers/gpu' --exclude='*/kernel/drivers/media' --exclude='*/kernel/sound' \
    --exclude='*/kernel/drivers/net/wireless' --exclude='*/kernel/drivers/net/ethernet' \
    --exclude='./usr' ./boot ./lib
}

# make_initrd BUSYBOX TREE VERSION: $rig/initrd, of the modules in TREE and tests/usb/init.
make_initrd() {
  local busybox=$1 root=$2 version=$3 tree file name applet
  if [[ $rig/initrd -nt tests/usb/init && $rig/initrd -nt tests/usb/debian.sh &&
    $rig/initrd -nt $rig/kernel-version ]]; then
    return 0
  fi
  tree=$(mktemp -d "$rig/initrd.XXXXXX")
  mkdir -p "$tree"/{bin,proc,sys,dev,lib/modules/"$version"}
  install -m 755 "$busybox" "$tree/bin/busybox"
  for applet in sh mount mkdir modprobe switch_root cp poweroff echo; do
    ln -s busybox "$tree/bin/$applet"
  done
  for name in "${modules[@]}"; do
    modprobe -d "$root" -S "$version" --show-depends "$name"
  done | awk '$1 == "insmod" { print $2 }' | sort -u >"$rig/modules"
  while IFS= read -r file; do
    install -D -m 644 "$file" "$tree/${file#"$root/"}"
  done <"$rig/modules"
  cp "$root/lib/modules/$version"/modules.{order,builtin,builtin.modinfo} "$tree/lib/modules/$version/"
  depmod -b "$tree" "$version"
  install -m 755 tests/usb/init "$tree/init"
  (cd "$tree" && find . | cpio -o -H newc --quiet) >"$rig/initrd.new"
  rm -rf "$tree"
  mv "$rig/initrd.new" "$rig/initrd"
}
