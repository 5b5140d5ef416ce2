"""The commands of `redhand porosity`, a module each: `command` is what runs. Heavy imports stand inside, so that help is quick."""
