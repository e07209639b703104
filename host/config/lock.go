package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"google.golang.org/protobuf/encoding/protojson"

	pluginv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/plugin/v1"
)

// lockFormat is the version of the lock file's format. Any change of the format, also an addition, is another version,
// and a file of another one is refused.
const lockFormat = 1

// Lock pins the programs of a configuration's plugins: what a plugin block does not say of its checksum, the lock file
// beside the configuration does. It also keeps what the programs say of themselves, so that their config blocks can be
// checked where they are not. `mezzo plugin lock` writes it.
type Lock struct {
	Format int `json:"format"`
	// Plugins are by "KIND NAME".
	Plugins map[string]Locked `json:"plugins"`
}

// Locked is one plugin's program, and what it said of itself when it was locked.
type Locked struct {
	// SHA256 is the program's checksum in lower-case hexadecimal.
	SHA256 string `json:"sha256"`
	// Name and Version are what it calls itself.
	Name    string `json:"name"`
	Version string `json:"version"`
	// Services are the full names of the gRPC services it serves, Capabilities the optional things it can do.
	Services     []string `json:"services"`
	Capabilities []string `json:"capabilities,omitempty"`
	// Schema is of its config block.
	Schema *pluginv1.Block `json:"-"`
}

// lockedFields are those of Locked that encoding/json can do by itself.
type lockedFields Locked

// lockedJSON is Locked in the file: the schema is in protobuf's JSON, with the names of plugin.proto.
type lockedJSON struct {
	lockedFields
	Schema json.RawMessage `json:"schema"`
}

// MarshalJSON implements json.Marshaler.
func (l Locked) MarshalJSON() ([]byte, error) {
	schema, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(l.Schema)
	if err != nil {
		return nil, fmt.Errorf("encode the schema: %w", err)
	}
	return marshal(lockedJSON{lockedFields(l), schema})
}

// UnmarshalJSON implements json.Unmarshaler. It takes nothing that is not whole.
func (l *Locked) UnmarshalJSON(data []byte) error {
	var in lockedJSON
	if err := unmarshal(data, &in); err != nil {
		return err
	}
	*l = Locked(in.lockedFields)
	l.Schema = &pluginv1.Block{}
	if len(in.Schema) == 0 {
		return errors.New("the schema is missing")
	}
	if err := protojson.Unmarshal(in.Schema, l.Schema); err != nil {
		return fmt.Errorf("the schema: %w", err)
	}
	return nil
}

// marshal is json.MarshalIndent that leaves <, > and & as they are, for people to read.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}

// unmarshal is json.Unmarshal that refuses what it does not know.
func unmarshal(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// check says what is wrong with an entry.
func (l *Locked) check() error {
	p := Plugin{SHA256: l.SHA256}
	if err := p.checkSHA256(); err != nil {
		return err
	}
	l.SHA256 = p.SHA256
	if l.Name == "" || l.Version == "" {
		return errors.New("the name or the version is missing")
	}
	return CheckSchema(l.Schema)
}

// LockPath is where the lock file of a configuration is: cluster.hcl has cluster.lock.json, and a folder has
// mezzo.lock.json in it.
func LockPath(path string) string {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return filepath.Join(path, "mezzo.lock.json")
	}
	return strings.TrimSuffix(path, ".hcl") + ".lock.json"
}

// LockKey is a plugin's key in a Lock.
func LockKey(kind, name string) string { return kind + " " + name }

// Write writes the lock file of a configuration, whole or not at all, and returns its path. The same lock gives the same
// bytes.
func (l *Lock) Write(path string) (string, error) {
	l.Format = lockFormat
	data, err := marshal(l)
	if err != nil {
		return "", fmt.Errorf("encode the lock file: %w", err)
	}
	file := LockPath(path)
	if err := os.WriteFile(file+".new", data, 0o644); err != nil { //nolint:gosec // holds no secret
		return "", fmt.Errorf("write the lock file: %w", err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return "", errors.Join(fmt.Errorf("write the lock file: %w", err), os.Remove(file+".new"))
	}
	return file, nil
}

// readLock reads the lock file of a configuration. There need not be one.
func readLock(path string) (l Lock, err error) {
	file := LockPath(path)
	defer func() {
		if err != nil {
			err = fmt.Errorf("read the lock file %s: %w; `mezzo plugin lock %s` writes it anew", file, err, path)
		}
	}()
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return Lock{}, nil
	}
	if err != nil {
		return l, err
	}
	var version struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(data, &version); err != nil {
		return l, err
	}
	if version.Format != lockFormat {
		return l, fmt.Errorf("it has format %d, and this release reads format %d", version.Format, lockFormat)
	}
	if err := unmarshal(data, &l); err != nil {
		return l, err
	}
	for key, locked := range l.Plugins {
		if err := locked.check(); err != nil {
			return l, fmt.Errorf("%s: %w", key, err)
		}
		l.Plugins[key] = locked
	}
	return l, nil
}

// pin takes the lock file in: checksums that plugin blocks leave to it are filled in.
func (s *Settings) pin(path string) (err error) {
	s.lockFile, s.lockCommand = LockPath(path), "`mezzo plugin lock "+path+"`"
	if s.lock, err = readLock(path); err != nil {
		return err
	}
	var diags hcl.Diagnostics
	var sources map[string][]byte
	for i := range s.Plugins {
		p := &s.Plugins[i]
		locked, ok := s.lock.Plugins[LockKey(p.Kind, p.Name)]
		switch {
		case !ok || p.SHA256 == locked.SHA256:
		case p.SHA256 == "":
			p.SHA256 = locked.SHA256
		default:
			sources = p.config.sources
			diags = append(diags, mistake(p.config.places["sha256"], "Two checksums", "The lock file %s has %s. Leave sha256 out here, or put it right and run %s.",
				s.lockFile, locked.SHA256, s.lockCommand))
		}
	}
	return newError(diags, sources)
}

// Locked is what the lock file keeps of a plugin of the configuration. The error is an *[Error] at the plugin's block.
func (s *Settings) Locked(kind, name string) (Locked, error) {
	if locked, ok := s.lock.Plugins[LockKey(kind, name)]; ok {
		return locked, nil
	}
	for _, p := range s.Plugins {
		if p.Kind == kind && p.Name == name {
			return Locked{}, newError(hcl.Diagnostics{mistake(p.at, "Plugin not locked",
				"The lock file %s does not hold it. Run %s where the plugin is installed.", s.lockFile, s.lockCommand)}, p.config.sources)
		}
	}
	return Locked{}, fmt.Errorf("there is no plugin %q %q", kind, name)
}
