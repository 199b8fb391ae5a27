package config

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// ErrConfig means that the program was told something that it does not understand.
var ErrConfig = errors.New("configuration")

const (
	prefix     = "PLEXY_"
	testPrefix = "PLEXY_TEST_" // left to the tests
	fileEnv    = "PLEXY_CONFIG"
	failEnv    = "PLEXY_TEST_FAILPOINT"
	skewEnv    = "PLEXY_TEST_CLOCK_SKEW"
)

// Input is where settings come from.
type Input struct {
	// Flags are the settings given on the command line, by name.
	Flags map[string]string
	// File is the file given on the command line; "" leaves it to PLEXY_CONFIG.
	File string
	// Environ is the environment, as os.Environ returns it.
	Environ []string
}

// FromProcess returns the Input of this process with the given flags.
func FromProcess(flags map[string]string, file string) Input {
	return Input{Flags: flags, File: file, Environ: os.Environ()}
}

// Load reads all sources and returns the settings in force. Every error wraps ErrConfig, names the setting
// and where it came from, and repeats no secret.
func Load(in Input) (Config, error) {
	c := Defaults()
	c.sources = map[string]string{}
	environ := variables(in.Environ)
	c.File = in.File
	if c.File == "" {
		c.File = environ[fileEnv]
	}
	if err := c.fromFile(); err != nil {
		return Config{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if err := c.fromEnvironment(environ); err != nil {
		return Config{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	for _, s := range settings {
		if v, ok := in.Flags[s.Name]; ok {
			if err := c.put(s, v, "flag --"+s.Flag()); err != nil {
				return Config{}, fmt.Errorf("%w: %w", ErrConfig, err)
			}
		}
	}
	c.finish()
	for _, check := range []func() error{c.checkNotify, c.checkISO8583} {
		if err := check(); err != nil {
			return Config{}, fmt.Errorf("%w: %w", ErrConfig, err)
		}
	}
	return c, nil
}

// Flag returns the setting's name as a flag, without the dashes before it.
func (s Setting) Flag() string { return strings.ReplaceAll(s.Name, "_", "-") }

// Variable returns the setting's environment variable.
func (s Setting) Variable() string { return prefix + strings.ToUpper(s.Name) }

func (c *Config) put(s Setting, value, source string) error {
	if err := s.set(c, value); err != nil {
		return fmt.Errorf("%s (%s) %w", s.Name, source, err)
	}
	c.sources[s.Name] = source
	return nil
}

// fromFile reads the YAML file: one level of name: value.
func (c *Config) fromFile() error {
	if c.File == "" {
		return nil
	}
	text, err := os.ReadFile(c.File)
	if err != nil {
		return fmt.Errorf("read the configuration file: %w", err)
	}
	lines, err := topLevel(text)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	var unknown []string
	for name, value := range lines {
		s, ok := find(name)
		if !ok {
			unknown = append(unknown, name)
			continue
		}
		if err := c.put(s, value, c.File); err != nil {
			return err
		}
	}
	return refuse("setting in "+c.File, unknown)
}

// topLevel reads name: value lines. Its errors name lines and names, never values: those may be secret.
func topLevel(text []byte) (map[string]string, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	lines := map[string]string{}
	if document.Kind == 0 {
		return lines, nil // an empty file
	}
	root := document.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, errors.New("is not a YAML file of name: value lines")
	}
	for at := 0; at+1 < len(root.Content); at += 2 {
		name, value := root.Content[at], root.Content[at+1]
		if _, twice := lines[name.Value]; twice {
			return nil, fmt.Errorf("line %d: %s is set twice", name.Line, name.Value)
		}
		if value.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("line %d: %s must be a single value", value.Line, name.Value)
		}
		lines[name.Value] = value.Value
		if value.Tag == "!!null" {
			lines[name.Value] = ""
		}
	}
	return lines, nil
}

func (c *Config) fromEnvironment(environ map[string]string) error {
	for _, s := range settings {
		v, ok := environ[s.Variable()]
		if !ok {
			continue
		}
		delete(environ, s.Variable())
		if err := c.put(s, v, s.Variable()); err != nil {
			return err
		}
	}
	delete(environ, fileEnv)
	var unknown []string
	for name := range environ {
		if !strings.HasPrefix(name, testPrefix) {
			unknown = append(unknown, name)
		}
	}
	if err := refuse("environment variable", unknown); err != nil {
		return err
	}
	c.Test.FailPoint = environ[failEnv]
	if skew := environ[skewEnv]; skew != "" {
		d, err := time.ParseDuration(skew)
		if err != nil {
			return fmt.Errorf("%s must be a duration such as 2s or -2s", skewEnv)
		}
		c.Test.ClockSkew = d
	}
	return nil
}

// refuse names what nobody knows; names only, because values may be secret.
func refuse(what string, names []string) error {
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return fmt.Errorf("unknown %s: %s", what, strings.Join(names, ", "))
}

// variables returns the variables whose names begin with PLEXY_.
func variables(environ []string) map[string]string {
	ours := map[string]string{}
	for _, line := range environ {
		if name, value, ok := strings.Cut(line, "="); ok && strings.HasPrefix(name, prefix) {
			ours[name] = value
		}
	}
	return ours
}
