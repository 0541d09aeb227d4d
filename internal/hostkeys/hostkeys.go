// Package hostkeys makes host keys for an ssh server, in OpenSSH's own format, as
// `ssh-keygen -t KIND -N ""` does. It runs no program: the one in a guest's tree is
// not to be trusted, and a host may have none.
//
// It is not for keys of users, nor for reading keys.
package hostkeys

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/big"
	"strings"
)

// rsaBits is what ssh-keygen makes without being told.
const rsaBits = 3072

// Key is a new key as the two files of it.
type Key struct {
	Private []byte // KIND_key, for root alone
	Public  []byte // KIND_key.pub, one line
}

// Kinds are the kinds of keys that New makes.
func Kinds() []string { return []string{"ed25519", "ecdsa", "rsa"} }

// New makes a key of one of Kinds. The comment is at the end of its public line.
func New(kind, comment string) (*Key, error) {
	public, secret, err := generate(kind)
	if err != nil {
		return nil, fmt.Errorf("cannot make %s host key: %w", kind, err)
	}
	private, err := armoured(public, secret, comment)
	if err != nil {
		return nil, fmt.Errorf("cannot make %s host key: %w", kind, err)
	}
	name := string(public[4 : 4+binary.BigEndian.Uint32(public)])
	line := name + " " + base64.StdEncoding.EncodeToString(public) + " " + comment + "\n"
	return &Key{Private: private, Public: []byte(line)}, nil
}

// generate gives a key as RFC 4253 has public ones, and PROTOCOL.agent secret ones.
func generate(kind string) (public, secret []byte, err error) {
	switch kind {
	case "ed25519":
		pub, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, nil, err
		}
		public = join("ssh-ed25519", pub)
		return public, append(public, join(key)...), nil
	case "ecdsa":
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, nil, err
		}
		point, err := key.PublicKey.Bytes()
		if err != nil {
			return nil, nil, err
		}
		d, err := key.Bytes()
		if err != nil {
			return nil, nil, err
		}
		public = join("ecdsa-sha2-nistp256", "nistp256", point)
		return public, append(public, join(new(big.Int).SetBytes(d))...), nil
	case "rsa":
		key, err := rsa.GenerateKey(rand.Reader, rsaBits)
		if err != nil {
			return nil, nil, err
		}
		e := big.NewInt(int64(key.E))
		return join("ssh-rsa", e, key.N),
			join("ssh-rsa", key.N, e, key.D, key.Precomputed.Qinv, key.Primes[0], key.Primes[1]), nil
	}
	return nil, nil, fmt.Errorf("unknown kind")
}

// armoured is the file of a secret key without a passphrase. Source: OpenSSH,
// PROTOCOL.key.
func armoured(public, secret []byte, comment string) ([]byte, error) {
	check := make([]byte, 4)
	if _, err := rand.Read(check); err != nil {
		return nil, err
	}
	inner := append(append(check, check...), secret...)
	inner = append(inner, join(comment)...)
	for pad := byte(1); len(inner)%8 != 0; pad++ {
		inner = append(inner, pad)
	}
	file := []byte("openssh-key-v1\x00")
	file = append(file, join("none", "none", "")...)
	file = binary.BigEndian.AppendUint32(file, 1)
	file = append(file, join(public, inner)...)
	var b strings.Builder
	b.WriteString("-----BEGIN OPENSSH PRIVATE KEY-----\n")
	const width = 70
	for text := base64.StdEncoding.EncodeToString(file); text != ""; {
		n := min(width, len(text))
		b.WriteString(text[:n] + "\n")
		text = text[n:]
	}
	b.WriteString("-----END OPENSSH PRIVATE KEY-----\n")
	return []byte(b.String()), nil
}

// join writes fields as the ssh protocol has them, each with its length. Numbers
// have a zero before a first bit that would be a sign. Source: RFC 4251, section 5.
func join(fields ...any) []byte {
	var out []byte
	for _, f := range fields {
		var data []byte
		switch f := f.(type) {
		case string:
			data = []byte(f)
		case []byte:
			data = f
		case ed25519.PublicKey:
			data = f
		case ed25519.PrivateKey:
			data = f
		case *big.Int:
			if data = f.Bytes(); len(data) > 0 && data[0]&0x80 != 0 {
				data = append([]byte{0}, data...)
			}
		}
		out = binary.BigEndian.AppendUint32(out, uint32(len(data)))
		out = append(out, data...)
	}
	return out
}
