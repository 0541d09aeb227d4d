// Package mounts plans a guest's mounts as data and applies them by the kernel's
// new mount API. The plan is a pure function of a few facts; the appliers take
// every target by directory fd below the guest's root and follow no symbolic
// link (CVE-2015-1335, CVE-2021-30465, CVE-2025-31133). It knows nothing of
// processes and namespaces.
package mounts
