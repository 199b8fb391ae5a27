package config

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// The setting acquirer: none takes no card payments, the sandbox's is the pretend one.
const (
	AcquirerNone    = "none"
	AcquirerSandbox = "sandbox"
	AcquirerISO8583 = "iso8583"
)

// PaddingOAEP and PaddingPKCS1 are the values of the setting direct_padding.
const (
	PaddingOAEP  = "oaep"
	PaddingPKCS1 = "pkcs1v15"
)

// leastBank is longer than an operation is asked after, in days.
const leastBank = 7

// maxLatency bounds what the pretend acquirer may take for an answer.
const maxLatency = 10 * time.Second

// paymentSettings are about card payments.
var paymentSettings = []Setting{
	{
		Name:  "acquirer",
		Usage: "who new card payments go to: iso8583, sandbox (in a sandbox only, the default there) or none",
		set: func(c *Config, v string) error {
			c.Acquirer = v
			return oneOf(v, AcquirerISO8583, AcquirerSandbox, AcquirerNone)
		},
		get: func(c Config) string { return c.Acquirer },
	},
	{
		Name: "sandbox_latency", Usage: "how long each answer of the sandbox's acquirer takes: 0 to 10s",
		set: func(c *Config, v string) error {
			d, err := time.ParseDuration(v)
			if n, whole := strconv.Atoi(v); whole == nil && n == 0 {
				d, err = 0, nil
			}
			if err != nil || d < 0 || d > maxLatency {
				return errors.New("must be a duration from 0 to 10s, such as 50ms")
			}
			c.SandboxLatency = d
			return nil
		},
		get: func(c Config) string { return c.SandboxLatency.String() },
	},
	{
		Name: "keep_sandbox_bank",
		Usage: "days that the sandbox's bank remembers what nothing can come of any more, " +
			strconv.Itoa(leastBank) + " to " + strconv.Itoa(maxKeep),
		set: func(c *Config, v string) error {
			n, err := strconv.Atoi(v)
			if err != nil || n < leastBank || n > maxKeep {
				return fmt.Errorf("must be a whole number from %d to %d", leastBank, maxKeep)
			}
			c.KeepSandboxBank = n
			return nil
		},
		get: func(c Config) string { return strconv.Itoa(c.KeepSandboxBank) },
	},
	{
		Name:  "direct_padding",
		Usage: "how merchants pad what they encrypt for direct payments: oaep, or pkcs1v15 for old clients only",
		set: func(c *Config, v string) error {
			c.DirectPadding = v
			return oneOf(v, PaddingOAEP, PaddingPKCS1)
		},
		get: func(c Config) string { return c.DirectPadding },
	},
}
