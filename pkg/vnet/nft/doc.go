// Package nft is the one table of an instance in the host's nftables: what leaves
// its networks is masqueraded, published ports lead to guests, isolated guests are
// reached by no other. No other table is read or changed, no packet of the host's
// own is filtered, and a packet that this table accepts may still be dropped by
// another: the verdict accept ends one table's chain only.
//
// What the table is made of (networks that are up, running guests with published
// ports or isolated interfaces) is kept as files of the instance's run directory,
// under one lock, so that any process can render the table again. It doesn't make
// links or addresses, and doesn't know configurations.
package nft
