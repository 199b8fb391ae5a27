package host

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Reply is what a line of control is answered with, as one line of JSON.
type Reply struct {
	Address string `json:"address,omitempty"` // of the first reply, which comes unasked
	Error   string `json:"error,omitempty"`
	Books   *Books `json:"books,omitempty"`
}

// Main runs a host until in is closed. Lines are "fault TYPE COUNT WHAT [CODE|WAIT]", "clear", "down", "up",
// "cut" and "books"; each has one line of answer.
func Main(address string, in io.Reader, out io.Writer) error {
	h, err := New(address, nil)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer h.Close()
	say := json.NewEncoder(out)
	if err := say.Encode(Reply{Address: h.Address()}); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if err := say.Encode(h.control(strings.Fields(lines.Text()))); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (h *Host) control(words []string) Reply {
	if len(words) == 0 {
		words = []string{""}
	}
	var err error
	switch words[0] {
	case "fault":
		var f Fault
		if f, err = ParseFault(words[1:]); err == nil {
			h.Do(f)
		}
	case "clear":
		h.Clear()
	case "down":
		h.Down()
	case "up":
		err = h.Up()
	case "cut":
		h.Cut()
	case "books":
		b := h.Books()
		return Reply{Books: &b}
	default:
		err = fmt.Errorf("want fault, clear, down, up, cut or books")
	}
	if err != nil {
		return Reply{Error: err.Error()}
	}
	return Reply{}
}
