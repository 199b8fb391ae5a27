package config

// Line is one setting as it is in force.
type Line struct {
	Name string `json:"name"`
	// Value is the text of the setting; a secret or a password in it is hidden.
	Value string `json:"value"`
	// Source says who set it: default, a file's name, a variable or a flag.
	Source string `json:"source"`
}

// Print returns every setting in force, with secrets hidden.
func (c Config) Print() []Line {
	lines := make([]Line, 0, len(settings))
	for _, s := range settings {
		source := c.sources[s.Name]
		if source == "" {
			source = "default"
		}
		lines = append(lines, Line{Name: s.Name, Value: s.get(c), Source: source})
	}
	return lines
}
