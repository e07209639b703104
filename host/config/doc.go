// Package config reads Mezzo's HCL files into typed settings.
//
// A file, or every *.hcl file of a folder taken together, holds at most one master block, one agent block,
// one log block, and any number of plugin blocks. A file with both a master and an agent is what
// `mezzo local` runs. Whatever is wrong is reported with the file, the line, the column, the source line and,
// for a misspelt name, the name that was probably meant; all mistakes of a file are reported together.
//
// The config block of a plugin stays unread until the plugin has said what it accepts: [Plugin.JSON] then
// checks it against that schema and gives the JSON that is sent to the plugin.
//
// The package imports the HCL libraries and the SDK's plain types, nothing else of the host.
package config
