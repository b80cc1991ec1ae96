const greet = (name = "you") => `hello, ${name}`;

document.title = greet();
