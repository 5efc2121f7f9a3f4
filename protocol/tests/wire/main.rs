//! The codecs seen from outside: values through every protocol, AWS's wording, bad input.

mod example;
mod exchange;
mod forms;
mod json;
mod rest;
mod routes;
mod services;
mod tables;
mod validation;
mod xml;
