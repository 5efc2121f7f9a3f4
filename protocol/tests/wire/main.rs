//! The codecs seen from outside: values through every protocol, AWS's wording, bad input.

mod example;
mod forms;
mod json;
mod rest;
mod routes;
mod tables;
mod validation;
mod xml;
