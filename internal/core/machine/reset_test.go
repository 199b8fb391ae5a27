package machine_test

import (
	"reflect"
	"testing"

	"plexy/internal/core/machine"
)

// fill puts one zero row into every map and slice below v, and something into every other exported field.
func fill(v reflect.Value) {
	for i := range v.NumField() {
		switch f := v.Field(i); {
		case !f.CanSet():
		case f.Kind() == reflect.Map:
			if f.IsNil() {
				f.Set(reflect.MakeMap(f.Type()))
			}
			f.SetMapIndex(reflect.Zero(f.Type().Key()), reflect.Zero(f.Type().Elem()))
		case f.Kind() == reflect.Slice:
			f.Set(reflect.Append(f, reflect.Zero(f.Type().Elem())))
		case f.Kind() == reflect.Struct:
			fill(f)
		case f.Kind() == reflect.Bool:
			f.SetBool(true)
		default:
			f.SetInt(7)
		}
	}
}

// empty names the first exported field below v that is not as new.
func empty(v reflect.Value) string {
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i).Name
		switch {
		case !v.Type().Field(i).IsExported():
		case f.Kind() == reflect.Map || f.Kind() == reflect.Slice:
			if f.Len() > 0 {
				return name
			}
		case f.Kind() == reflect.Struct:
			if inner := empty(f); inner != "" {
				return name + "." + inner
			}
		case !f.IsZero():
			return name
		}
	}
	return ""
}

func TestResetForgetsEverything(t *testing.T) {
	var keys machine.Keys
	first := keys.NewState()
	fill(reflect.ValueOf(&keys).Elem())
	fill(reflect.ValueOf(first).Elem())
	if empty(reflect.ValueOf(keys)) == "" || empty(reflect.ValueOf(first).Elem()) == "" {
		t.Fatal("nothing was filled")
	}
	keys.Reset()
	again := keys.NewState()
	if again != first {
		t.Error("the working set is not used again")
	}
	if left := empty(reflect.ValueOf(keys)); left != "" {
		t.Errorf("the keys still have %s", left)
	}
	if left := empty(reflect.ValueOf(again).Elem()); left != "" {
		t.Errorf("the working set still has %s", left)
	}
	if second := keys.NewState(); second == first {
		t.Error("one working set was given out twice")
	}
}
