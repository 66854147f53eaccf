//! Where the flash of a firmware went, and whether it stays within its budget.
//!
//! `flash-report ELF [--budget FILE SECTION] [--image-only] [NAME=VALUE...]` prints flash by crate and by module
//! of ours. Every instruction counts for the source that it was written in, also where it was
//! inlined into another crate; code of the standard library that was inlined counts for the crate
//! it serves. With `--budget`, the figures and each NAME=VALUE (of a run: stack bytes,
//! instructions) are compared with those of the SECTION of a TOML file; `--image-only` leaves out
//! those that only a run can give.
//!
//! Exit status 0, 1 if a figure is over its budget or `core::fmt` is in the image, 2 for wrong
//! usage.

use core::error::Error;
use std::collections::BTreeMap;
use std::process::ExitCode;

use addr2line::Loader;
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};

type Failure = Box<dyn Error>;

fn main() -> ExitCode {
    match Arguments::read(std::env::args().skip(1)) {
        None => {
            eprintln!(
                "usage: flash-report ELF [--budget FILE SECTION] [--image-only] [NAME=VALUE...]"
            );
            ExitCode::from(2)
        }
        Some(arguments) => match report(&arguments) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("flash-report: {error}");
                ExitCode::FAILURE
            }
        },
    }
}

struct Arguments {
    elf: String,
    /// File and section.
    budget: Option<(String, String)>,
    image_only: bool,
    measured: BTreeMap<String, u64>,
}

impl Arguments {
    fn read(mut words: impl Iterator<Item = String>) -> Option<Self> {
        let mut arguments =
            Self { elf: words.next()?, budget: None, image_only: false, measured: BTreeMap::new() };
        while let Some(word) = words.next() {
            if word == "--budget" {
                arguments.budget = Some((words.next()?, words.next()?));
            } else if word == "--image-only" {
                arguments.image_only = true;
            } else {
                let (name, value) = word.split_once('=')?;
                arguments.measured.insert(name.to_owned(), value.parse().ok()?);
            }
        }
        Some(arguments)
    }
}

/// Prints everything; whether all is within bounds.
fn report(arguments: &Arguments) -> Result<bool, Failure> {
    let bytes = std::fs::read(&arguments.elf)?;
    let image = object::File::parse(bytes.as_slice())?;
    let sections = Sections::of(&image);
    let origins = Origins::of(&arguments.elf, &image)?;
    println!(
        "flash {} B: text {}, constants {}, initialised data {}",
        sections.flash(),
        sections.text,
        sections.constants,
        sections.data
    );
    println!("ram {} B static: data {}, zeroed {}", sections.ram(), sections.data, sections.zeroed);
    table("text by crate", &origins.crates);
    table("text by module", &origins.modules);
    let formatting = formatting_symbols(&image);
    for name in &formatting {
        println!("formatting code in the image: {name}");
    }
    let mut figures = arguments.measured.clone();
    figures.insert("flash_bytes".into(), sections.flash());
    figures.insert("ram_bytes".into(), sections.ram());
    figures.insert("data_bytes".into(), sections.data);
    let within = match &arguments.budget {
        Some((file, section)) => compare(&figures, file, section, arguments.image_only)?,
        None => true,
    };
    Ok(within && formatting.is_empty())
}

/// Bytes by their kind of memory.
#[derive(Default)]
struct Sections {
    text: u64,
    constants: u64,
    data: u64,
    zeroed: u64,
}

impl Sections {
    fn of(image: &object::File<'_>) -> Self {
        let mut sizes = Self::default();
        for section in image.sections() {
            match section.name() {
                Ok(".vector_table" | ".text") => sizes.text += section.size(),
                Ok(".rodata") => sizes.constants += section.size(),
                Ok(".data") => sizes.data += section.size(),
                Ok(".bss" | ".uninit") => sizes.zeroed += section.size(),
                _ => {}
            }
        }
        sizes
    }

    /// Initial values of `.data` are copied from flash.
    fn flash(&self) -> u64 {
        self.text + self.constants + self.data
    }

    fn ram(&self) -> u64 {
        self.data + self.zeroed
    }
}

/// Bytes of code by where they were written.
#[derive(Default)]
struct Origins {
    crates: BTreeMap<String, u64>,
    modules: BTreeMap<String, u64>,
}

impl Origins {
    fn of(path: &str, image: &object::File<'_>) -> Result<Self, Failure> {
        let lines = Loader::new(path).map_err(|error| error.to_string())?;
        let mut origins = Self::default();
        for symbol in image.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text) {
            // Bit 0 of a function's address says Thumb.
            let start = symbol.address() & !1;
            for address in (start..start + symbol.size()).step_by(INSTRUCTION) {
                let place = place(&lines, address)?;
                *origins.crates.entry(place.package.clone()).or_default() += INSTRUCTION as u64;
                if place.package.starts_with("sansip") {
                    let module = format!("{}::{}", place.package, place.module);
                    *origins.modules.entry(module).or_default() += INSTRUCTION as u64;
                }
            }
        }
        Ok(origins)
    }
}

/// Shortest instruction of Thumb, bytes.
const INSTRUCTION: usize = 2;

struct Place {
    package: String,
    module: String,
}

/// The innermost place that is not in the standard library; else the outermost.
fn place(lines: &Loader, address: u64) -> Result<Place, Failure> {
    let mut found = Place { package: "(no source)".into(), module: String::new() };
    let mut frames = lines.find_frames(address).map_err(|error| error.to_string())?;
    while let Some(frame) = frames.next().map_err(|error| error.to_string())? {
        let Some(file) = frame.location.and_then(|location| location.file) else {
            continue;
        };
        found = written_in(file);
        if !matches!(found.package.as_str(), "core" | "(no source)") {
            break;
        }
    }
    Ok(found)
}

/// Package and module by the path `.../PACKAGE[-VERSION]/src/MODULE[/...].rs`.
fn written_in(file: &str) -> Place {
    let (before, after) = file.rsplit_once("/src/").unwrap_or(("", file));
    let folder = before.rsplit('/').next().unwrap_or_default();
    let package = folder.rsplit_once('-').filter(|(_, version)| version.starts_with(digit));
    let package = match package.map_or(folder, |(name, _)| name) {
        "" => "(no source)",
        "core" if !before.contains("library") => "sansip",
        "firmware" => "sansip-firmware",
        "runtime-embassy" => "sansip-embassy",
        name => name,
    };
    let module = after.split('/').next().unwrap_or_default().trim_end_matches(".rs");
    Place { package: package.into(), module: module.into() }
}

fn digit(letter: char) -> bool {
    letter.is_ascii_digit()
}

/// Functions of `core::fmt`: the sign that a panic message or a `Debug` was kept.
fn formatting_symbols(image: &object::File<'_>) -> Vec<String> {
    let text = image.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text);
    let names = text.filter_map(|symbol| Some(rustc_demangle::demangle(symbol.name().ok()?)));
    names.map(|name| format!("{name:#}")).filter(|name| name.contains("core::fmt")).collect()
}

fn table(title: &str, sizes: &BTreeMap<String, u64>) {
    println!("\n{title}");
    let mut rows: Vec<_> = sizes.iter().collect();
    rows.sort_by_key(|(_, size)| core::cmp::Reverse(**size));
    for (name, size) in rows {
        println!("  {size:>7}  {name}");
    }
}

/// Prints each budgeted figure beside its budget; whether none is over or missing.
fn compare(
    figures: &BTreeMap<String, u64>,
    file: &str,
    section: &str,
    image_only: bool,
) -> Result<bool, Failure> {
    let budgets: toml::Table = std::fs::read_to_string(file)?.parse()?;
    let budget = budgets.get(section).and_then(|section| section.as_table());
    let budget = budget.ok_or_else(|| format!("{file} has no section {section}"))?;
    let mut within = true;
    println!("\nbudget of {section}");
    for (name, limit) in budget {
        let limit = limit.as_integer().and_then(|limit| u64::try_from(limit).ok());
        let limit = limit.ok_or_else(|| format!("{file}: {name} is no number"))?;
        let verdict = match figures.get(name) {
            None if image_only => continue,
            None => "MISSING",
            Some(figure) if *figure > limit => "OVER",
            Some(figure) if figure * 100 < limit * 95 => "ok; the budget can shrink",
            Some(_) => "ok",
        };
        within &= verdict.starts_with("ok");
        let figure = figures.get(name).map_or("-".into(), u64::to_string);
        println!("  {name:<32} {figure:>9} of {limit:>9}  {verdict}");
    }
    Ok(within)
}
