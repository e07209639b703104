package scaffold

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// hostModule and sdkModule are released together: a release has the tags vX.Y.Z and sdk/vX.Y.Z, on one commit.
const (
	hostModule = "github.com/mezzo-cluster/mezzo"
	sdkModule  = hostModule + "/sdk"
)

// goVersion is the least Go that the SDK of this build needs.
const goVersion = "1.26.0"

// between is what `git describe` adds to the tag of an earlier release.
var between = regexp.MustCompile(`-[0-9]+-g[0-9a-f]+(-dirty)?$|-dirty$`)

// isRelease tells whether a build's version is that of a release, so that there is an SDK of the same version.
func isRelease(version string) bool {
	return semver.IsValid(version) && semver.Canonical(version) == version && !module.IsPseudoVersion(version) && !between.MatchString(version)
}

// modules makes go.mod. With a checkout's SDK it requires all that the SDK does, and go.sum comes along: so the
// plugin builds with what the checkout has fetched. With a released SDK, `go mod tidy` fetches it and does that.
func (o *Options) modules() (map[string][]byte, error) {
	f, version := &modfile.File{}, o.Version
	if !isRelease(version) {
		if o.SDK == "" {
			return nil, fmt.Errorf("this build (%s) is none of a release, so no SDK is published with it: "+
				"give the source that it was built from, by --sdk DIR, the sdk folder of a checkout of Mezzo", version)
		}
		version = "v0.0.0"
	}
	needs := &sdkSource{goVersion: goVersion}
	if o.SDK != "" {
		var err error
		if needs, err = readSDK(o.SDK); err != nil {
			return nil, fmt.Errorf("--sdk %s: %w", o.SDK, err)
		}
	}
	if err := f.AddModuleStmt(o.Module); err != nil {
		return nil, err
	}
	if err := f.AddGoStmt(needs.goVersion); err != nil {
		return nil, fmt.Errorf("--sdk %s: %w", o.SDK, err)
	}
	requires := []*modfile.Require{{Mod: module.Version{Path: sdkModule, Version: version}}}
	for _, m := range needs.requires {
		requires = append(requires, &modfile.Require{Mod: m, Indirect: true})
	}
	f.SetRequireSeparateIndirect(requires)
	files := map[string][]byte{}
	if o.SDK != "" {
		if err := f.AddReplace(sdkModule, "", needs.dir, ""); err != nil {
			return nil, fmt.Errorf("--sdk %s: %w", o.SDK, err)
		}
		files["go.sum"] = needs.sums
	}
	f.Cleanup()
	text, err := f.Format()
	if err != nil {
		return nil, fmt.Errorf("write go.mod: %w", err)
	}
	files["go.mod"] = text
	return files, nil
}

// sdkSource is the SDK's source in a checkout.
type sdkSource struct {
	dir       string // absolute
	goVersion string
	requires  []module.Version
	sums      []byte
}

func readSDK(dir string) (*sdkSource, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	name := filepath.Join(dir, "go.mod")
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the SDK's go.mod: %w", err)
	}
	f, err := modfile.Parse(name, text, nil)
	if err != nil {
		return nil, fmt.Errorf("read the SDK's go.mod: %w", err)
	}
	switch {
	case f.Module != nil && f.Module.Mod.Path == hostModule:
		return nil, fmt.Errorf("this is the module %s; its SDK is in %s", hostModule, filepath.Join(dir, "sdk"))
	case f.Module == nil || f.Module.Mod.Path != sdkModule || f.Go == nil:
		return nil, fmt.Errorf("this is not the module %s", sdkModule)
	}
	s := &sdkSource{dir: dir, goVersion: f.Go.Version}
	for _, r := range f.Require {
		s.requires = append(s.requires, r.Mod)
	}
	if s.sums, err = os.ReadFile(filepath.Join(dir, "go.sum")); err != nil {
		return nil, fmt.Errorf("read the SDK's checksums: %w", err)
	}
	return s, nil
}
