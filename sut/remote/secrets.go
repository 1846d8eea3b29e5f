package remote

import (
	"cmp"
	"path/filepath"

	"github.com/proofload/proofload/scenarios"
	"github.com/proofload/proofload/sut"
)

// Secrets says where the secrets are that the file gives names to.
func (t *Target) Secrets() map[string]sut.Secret { return t.secrets }

// secrets reads where secrets are, before all that may use them.
func (p *parser) secrets(n *scenarios.Node) {
	if n == nil || n.IsNull() {
		return // the mapping says that a key has no value
	}
	p.target.secrets = map[string]sut.Secret{}
	p.Pairs(n, "secrets and where they are", "{API_TOKEN: {env: STAGING_API_TOKEN}}", func(name, value *scenarios.Node) {
		if !scenarios.IsVariable(name.Text()) {
			p.Add(name, name.Text()+" is not the name of a secret", "use letters, digits and _, and begin with a letter")
			return
		}
		var s sut.Secret
		clean := p.Mapping(value, "a secret", p.secretFields(&s))
		switch {
		case !clean:
			return
		case (s.Env == "") == (s.File == ""):
			p.Add(name, "a secret is in one place", "give it env: or file:, and not both")
			return
		case s.Env != "" && !scenarios.IsVariable(s.Env):
			p.Add(value.Find("env"), s.Env+" is not the name of a variable", "use letters, digits and _, and begin with a letter")
			return
		}
		p.target.secrets[name.Text()] = s
		if text, ok := p.find(s); !ok || text == "" {
			p.missing(name, value, s)
		}
	})
}

// missing reports a secret that is not where it should be.
func (p *parser) missing(name, value *scenarios.Node, s sut.Secret) {
	if file := value.Find("file"); file != nil {
		p.Add(file, "there is no secret in "+file.Text(), "put it there, with nothing else; the path is relative to this file")
		return
	}
	p.Add(name, s.Env+" is not set", "set it in the environment, or "+s.Env+"_FILE to the name of a file with the secret")
}

func (p *parser) secretFields(s *sut.Secret) []scenarios.Field {
	return []scenarios.Field{
		{Key: "env", Set: func(k, v *scenarios.Node) { s.Env, _ = p.Words(v, k.Text()) }},
		{Key: "file", Set: func(k, v *scenarios.Node) {
			if path, ok := p.Words(v, k.Text()); ok {
				s.File = p.target.beside(path)
			}
		}},
	}
}

// secret returns the secret of a name. That one which secrets: speaks of is missing
// is said there alone.
func (p *parser) secret(name string) (value string, ok bool) {
	if s, named := p.target.secrets[name]; named {
		value, _ = p.find(s)
		return cmp.Or(value, "missing"), true
	}
	return p.find(sut.Secret{Env: name})
}

// beside returns a path that the file names: relative to its own, and absolute, so
// that it is found from anywhere.
func (t *Target) beside(path string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(t.File), path)
	}
	if whole, err := filepath.Abs(path); err == nil {
		return whole
	}
	return path
}
