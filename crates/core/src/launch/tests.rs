//! Tables: command lines, the ports that they want, and what they become.

use std::collections::HashSet;

use super::program::Then;
use super::table::PROGRAMS;
use super::*;

const PACKAGE: &str = r#"{ "scripts": {
    "dev": "vite", "flagged": "vite --port 5199", "start": "next start", "cra": "react-scripts start",
    "set": "PORT=4001 node server.js", "cross": "cross-env PORT=4002 next dev",
    "default": "node server.js --port ${PORT:-4003}", "compound": "tsc -b && vite --host",
    "background": "node api.js & vite", "nested": "npm run dev -- --port 4004", "loop": "npm run loop", "inner": "npm run dev",
    "served": "serve -l 4005", "word": "python -m http.server 4006", "odd": "vite --port $(cat port)",
    "watch": "nodemon server.js", "deno": "deno serve main.ts"
} }"#;

fn files(path: &Path) -> Option<String> {
    (path == Path::new("/home/me/app/package.json")).then(|| PACKAGE.to_owned())
}

/// A command line written as a shell's: `A=b` first is the environment.
fn split(line: &str) -> (Vec<(String, String)>, Vec<String>) {
    let words = words::simple_commands(line, &|name| Some(format!("${name}"))).unwrap();
    let mut env = Vec::new();
    let mut argv: Vec<String> = Vec::new();
    for word in words.into_iter().next().unwrap() {
        match word.text.split_once('=') {
            Some((name, value)) if argv.is_empty() => env.push((name.into(), value.into())),
            _ => argv.push(word.text),
        }
    }
    (env, argv)
}

fn with<T>(line: &str, run: impl FnOnce(&[String], &Around<'_>) -> T) -> T {
    let (vars, argv) = split(line);
    let env = |name: &str| vars.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone());
    let around = Around { cwd: Path::new("/home/me/app/web/src"), env: &env, files: &files };
    run(&argv, &around)
}

fn ports(line: &str) -> Vec<u16> {
    with(line, |argv, around| wanted(argv, around).iter().map(|w| w.port.get()).collect())
}

/// The launch with port 4242, written as a shell's line, `?` before it where it is not certain.
fn moved(line: &str) -> String {
    with(line, |argv, around| {
        let Some(launch) = with_port(argv, around, Port::new(4242).unwrap()) else {
            return "no way".to_owned();
        };
        let env = launch.env.iter().map(|(name, value)| format!("{name}={}", words::quoted(value)));
        let argv = launch.argv.iter().map(|word| words::quoted(word));
        let doubt = (!launch.certain).then(|| "?".to_owned());
        doubt.into_iter().chain(env).chain(argv).collect::<Vec<_>>().join(" ")
    })
}

/// Command line, program, wanted port (0 for none), and the same with port 4242.
#[rustfmt::skip]
const ROWS: &[(&str, &str, u16, &str)] = &[
    // JavaScript.
    ("vite", "vite", 5173, "vite --port 4242"),
    ("vite --port 3000", "vite", 3000, "vite --port 4242"),
    ("vite --port=3000 --host", "vite", 3000, "vite --port=4242 --host"),
    ("vite --port 3000 --port 3001", "vite", 3001, "vite --port 3000 --port 4242"),
    ("vite --port 0", "vite", 0, "vite --port 4242"),
    ("PORT=3000 vite", "vite", 5173, "PORT=3000 vite --port 4242"),
    ("vite preview", "vite preview", 4173, "vite preview --port 4242"),
    ("vite build", "", 0, "? PORT=4242 vite build"),
    ("vite -- --port 1", "vite", 5173, "vite --port 4242 -- --port 1"),
    ("/app/node_modules/.bin/vite", "vite", 5173, "/app/node_modules/.bin/vite --port 4242"),
    ("node /app/node_modules/.bin/vite", "vite", 5173, "node /app/node_modules/.bin/vite --port 4242"),
    ("node --inspect -r ts-node/register node_modules/vite/bin/vite.js", "vite", 5173,
     "node --inspect -r ts-node/register node_modules/vite/bin/vite.js --port 4242"),
    ("node node_modules/.pnpm/next@16/node_modules/next/dist/bin/next dev", "next", 3000,
     "node node_modules/.pnpm/next@16/node_modules/next/dist/bin/next dev -p 4242"),
    ("node node_modules/@angular/cli/bin/ng.js serve", "ng serve", 4200,
     "node node_modules/@angular/cli/bin/ng.js serve --port 4242"),
    ("npx vite", "vite", 5173, "npx vite --port 4242"),
    ("npx -y -p vite vite --port 1", "vite", 1, "npx -y -p vite vite --port 4242"),
    ("npm exec vite", "vite", 5173, "npm exec vite -- --port 4242"),
    ("npm exec vite --port 1", "vite", 5173, "npm exec vite --port 1 -- --port 4242"),
    ("npm exec -- vite --port 1", "vite", 1, "npm exec -- vite --port 4242"),
    ("npm exec vite -- --port 1", "vite", 1, "npm exec vite -- --port 4242"),
    ("pnpm exec vite", "vite", 5173, "pnpm exec vite --port 4242"),
    ("pnpm dlx http-server", "http-server", 8080, "pnpm dlx http-server -p 4242"),
    ("yarn vite", "vite", 5173, "yarn vite --port 4242"),
    ("bunx vite", "vite", 5173, "bunx vite --port 4242"),
    ("bun x vite", "vite", 5173, "bun x vite --port 4242"),
    ("bun run dev", "vite", 5173, "bun run dev --port 4242"),
    ("bun server.ts", "bun", 0, "? PORT=4242 bun server.ts"),
    ("next", "next", 3000, "next -p 4242"),
    ("next dev -p 3001", "next", 3001, "next dev -p 4242"),
    ("next start -p3001", "next", 3001, "next start -p4242"),
    ("PORT=3005 next dev", "next", 3005, "PORT=3005 next dev -p 4242"),
    ("next build", "", 0, "? PORT=4242 next build"),
    ("nuxt dev", "nuxt", 3000, "nuxt dev --port 4242"),
    ("astro dev --port 1", "astro", 1, "astro dev --port 4242"),
    ("remix vite:dev", "remix dev", 5173, "remix vite:dev --port 4242"),
    ("react-scripts start", "react-scripts", 3000, "PORT=4242 react-scripts start"),
    ("react-scripts build", "", 0, "? PORT=4242 react-scripts build"),
    ("PORT=3009 react-scripts start", "react-scripts", 3009, "PORT=4242 react-scripts start"),
    ("webpack serve --mode development", "webpack serve", 8080, "webpack serve --mode development --port 4242"),
    ("webpack --mode production", "", 0, "? PORT=4242 webpack --mode production"),
    ("webpack-dev-server --port 1", "webpack-dev-server", 1, "webpack-dev-server --port 4242"),
    ("parcel index.html", "parcel", 1234, "parcel index.html --port 4242"),
    ("ng serve", "ng serve", 4200, "ng serve --port 4242"),
    ("storybook dev -p 6007", "storybook", 6007, "storybook dev -p 4242"),
    ("gatsby develop", "gatsby develop", 8000, "gatsby develop --port 4242"),
    ("npx @11ty/eleventy --serve", "eleventy", 8080, "npx @11ty/eleventy --serve --port=4242"),
    ("eleventy", "", 0, "? PORT=4242 eleventy"),
    ("vue-cli-service serve", "vue-cli-service serve", 8080, "vue-cli-service serve --port 4242"),
    ("live-server --port=1 --no-browser", "live-server", 1, "live-server --port=4242 --no-browser"),
    ("http-server -p 1 -c-1", "http-server", 1, "http-server -p 4242 -c-1"),
    ("serve -l tcp://0.0.0.0:1", "serve", 1, "serve -l tcp://0.0.0.0:4242"),
    ("serve -s build -p 1", "serve", 1, "serve -s build -p 4242"),
    ("serve", "serve", 3000, "serve -l 4242"),
    ("json-server --port 1 db.json", "json-server", 1, "json-server --port 4242 db.json"),
    ("expo start", "expo start", 8081, "expo start --port 4242"),
    ("wrangler dev", "wrangler dev", 8787, "wrangler dev --port 4242"),
    ("node server.js", "node", 0, "? PORT=4242 node server.js"),
    ("PORT=1 node server.js", "node", 1, "? PORT=4242 node server.js"),
    ("node server.js --port 1", "node", 1, "node server.js --port 4242"),
    ("node -e 'vite' --port 1", "node", 1, "node -e vite --port 4242"),
    ("nodemon server.js", "node", 0, "? PORT=4242 nodemon server.js"),
    ("nodemon --exec python manage.py runserver", "django runserver", 8000,
     "nodemon --exec python manage.py runserver 4242"),
    ("tsx watch server.ts", "node", 0, "? PORT=4242 tsx watch server.ts"),
    ("deno serve main.ts", "deno serve", 8000, "deno serve --port 4242 main.ts"),
    ("deno serve --port 1 main.ts --port 2", "deno serve", 1, "deno serve --port 4242 main.ts --port 2"),
    ("deno run -A npm:vite", "vite", 5173, "deno run -A npm:vite --port 4242"),
    ("deno run -A main.ts", "deno", 0, "? PORT=4242 deno run -A main.ts"),
    // Package scripts.
    ("npm run dev", "vite", 5173, "npm run dev -- --port 4242"),
    ("npm run dev -- --host", "vite", 5173, "npm run dev -- --host --port 4242"),
    ("npm run dev -- --port 1", "vite", 1, "npm run dev -- --port 4242"),
    ("npm run dev --port 1", "vite", 5173, "npm run dev --port 1 -- --port 4242"),
    ("npm --prefix /home/me/app run dev", "vite", 5173, "npm --prefix /home/me/app run dev -- --port 4242"),
    ("npm run flagged", "vite", 5199, "npm run flagged -- --port 4242"),
    ("npm start", "next", 3000, "npm start -- -p 4242"),
    ("npm run cra", "react-scripts", 3000, "PORT=4242 npm run cra"),
    ("npm run set", "node", 4001, "no way"),
    ("PORT=1 npm run set", "node", 4001, "no way"),
    ("npm run cross", "next", 4002, "npm run cross -- -p 4242"),
    ("npm run default", "node", 4003, "no way"),
    ("PORT=1 npm run default", "node", 1, "no way"),
    ("npm run compound", "vite", 5173, "npm run compound -- --port 4242"),
    ("npm run background", "vite", 5173, "npm run background -- --port 4242"),
    ("npm run nested", "vite", 4004, "npm run nested -- --port 4242"),
    ("npm run inner", "vite", 5173, "npm run inner -- -- --port 4242"),
    ("npm run inner -- --port 1", "vite", 5173, "npm run inner -- --port 1 -- --port 4242"),
    ("npm run loop", "", 0, "no way"),
    ("npm run served", "serve", 4005, "no way"),
    ("npm run word", "http.server", 4006, "no way"),
    ("npm run odd", "", 0, "no way"),
    ("npm run watch", "node", 0, "? PORT=4242 npm run watch"),
    ("npm run deno", "deno serve", 8000, "no way"),
    ("npm run none", "", 0, "no way"),
    ("npm install", "", 0, "? PORT=4242 npm install"),
    ("pnpm dev", "vite", 5173, "pnpm dev --port 4242"),
    ("pnpm run dev --port 1", "vite", 1, "pnpm run dev --port 4242"),
    ("yarn dev", "vite", 5173, "yarn dev --port 4242"),
    ("yarn run flagged", "vite", 5199, "yarn run flagged --port 4242"),
    // Python.
    ("python -m http.server", "http.server", 8000, "python -m http.server 4242"),
    ("python3.12 -u -m http.server 9000 -d www", "http.server", 9000, "python3.12 -u -m http.server 4242 -d www"),
    ("python -m http.server -b 0.0.0.0 -d 8888", "http.server", 8000, "python -m http.server 4242 -b 0.0.0.0 -d 8888"),
    ("flask run", "flask", 5000, "flask run --port 4242"),
    ("flask --app app --debug run -p 1", "flask", 1, "flask --app app --debug run -p 4242"),
    ("python -m flask --app app run", "flask", 5000, "python -m flask --app app run --port 4242"),
    ("FLASK_RUN_PORT=1 flask run", "flask", 1, "FLASK_RUN_PORT=1 flask run --port 4242"),
    ("python manage.py runserver", "django runserver", 8000, "python manage.py runserver 4242"),
    ("./manage.py runserver 0.0.0.0:9000", "django runserver", 9000, "./manage.py runserver 0.0.0.0:4242"),
    ("python manage.py runserver --settings a.b 9000", "django runserver", 9000,
     "python manage.py runserver --settings a.b 4242"),
    ("python manage.py migrate", "python", 0, "? PORT=4242 python manage.py migrate"),
    ("uvicorn app:app", "uvicorn", 8000, "uvicorn app:app --port 4242"),
    ("/venv/bin/python /venv/bin/uvicorn app:app --port 1", "uvicorn", 1,
     "/venv/bin/python /venv/bin/uvicorn app:app --port 4242"),
    ("uv run uvicorn app:app", "uvicorn", 8000, "uv run uvicorn app:app --port 4242"),
    ("gunicorn app:app", "gunicorn", 8000, "gunicorn app:app --bind 127.0.0.1:4242"),
    ("gunicorn -w 4 -b 0.0.0.0:9000 app:app", "gunicorn", 9000, "gunicorn -w 4 -b 0.0.0.0:4242 app:app"),
    ("gunicorn -b unix:/run/a.sock app:app", "gunicorn", 0, "gunicorn -b 127.0.0.1:4242 app:app"),
    ("gunicorn --bind=[::1]:9000 app:app", "gunicorn", 9000, "gunicorn '--bind=[::1]:4242' app:app"),
    ("PORT=7 gunicorn app:app", "gunicorn", 7, "PORT=7 gunicorn app:app --bind 127.0.0.1:4242"),
    ("hypercorn app:app", "hypercorn", 8000, "hypercorn app:app --bind 127.0.0.1:4242"),
    ("daphne -p 1 app:app", "daphne", 1, "daphne -p 4242 app:app"),
    ("waitress-serve app:app", "waitress-serve", 8080, "waitress-serve --port=4242 app:app"),
    ("waitress-serve --listen=*:1 app:app", "waitress-serve", 1, "waitress-serve '--listen=*:4242' app:app"),
    ("streamlit run app.py", "streamlit", 8501, "streamlit run --server.port 4242 app.py"),
    ("jupyter lab", "jupyter", 8888, "jupyter lab --port=4242"),
    ("jupyter notebook --port=1", "jupyter", 1, "jupyter notebook --port=4242"),
    ("mkdocs serve", "mkdocs serve", 8000, "mkdocs serve --dev-addr 127.0.0.1:4242"),
    ("gradio app.py", "gradio", 7860, "GRADIO_SERVER_PORT=4242 gradio app.py"),
    ("tensorboard --logdir x", "tensorboard", 6006, "tensorboard --logdir x --port 4242"),
    ("python app.py", "python", 0, "? PORT=4242 python app.py"),
    // Ruby.
    ("rails s", "rails server", 3000, "rails s -p 4242"),
    ("bundle exec rails server -p 1", "rails server", 1, "bundle exec rails server -p 4242"),
    ("bin/rails s", "rails server", 3000, "bin/rails s -p 4242"),
    ("ruby bin/rails server", "rails server", 3000, "ruby bin/rails server -p 4242"),
    ("rails console", "", 0, "? PORT=4242 rails console"),
    ("puma", "puma", 9292, "puma -p 4242"),
    ("puma -b tcp://0.0.0.0:1", "puma", 1, "puma -b tcp://0.0.0.0:4242"),
    ("rackup -p 1", "rackup", 1, "rackup -p 4242"),
    ("jekyll serve", "jekyll serve", 4000, "jekyll serve -P 4242"),
    ("middleman server", "middleman", 4567, "middleman server -p 4242"),
    ("ruby -run -e httpd . -p 1", "ruby -run -e httpd", 1, "ruby -run -e httpd . -p 4242"),
    // PHP.
    ("php -S localhost:8000 -t public", "php -S", 8000, "php -S localhost:4242 -t public"),
    ("php8.2 -q -S 0.0.0.0:8000 router.php", "php -S", 8000, "php8.2 -q -S 0.0.0.0:4242 router.php"),
    ("php artisan serve", "artisan serve", 8000, "php artisan serve --port=4242"),
    ("php server.php", "php", 0, "? PORT=4242 php server.php"),
    ("symfony serve", "symfony serve", 8000, "symfony serve --port=4242"),
    // Go, Rust, Elixir, Java, .NET.
    ("hugo server", "hugo server", 1313, "hugo server -p 4242"),
    ("hugo", "", 0, "? PORT=4242 hugo"),
    ("caddy file-server --listen :1", "caddy file-server", 1, "caddy file-server --listen :4242"),
    ("caddy file-server", "caddy file-server", 80, "caddy file-server --listen :4242"),
    ("go run . -port 1", "go run", 1, "go run . -port 4242"),
    ("go run .", "go run", 0, "? PORT=4242 go run ."),
    ("air", "air", 0, "? PORT=4242 air"),
    ("http-echo -listen=:1 -text x", "http-echo", 1, "http-echo -listen=:4242 -text x"),
    ("cargo run --bin web", "cargo run", 0, "? PORT=4242 cargo run --bin web"),
    ("mix phx.server", "mix phx.server", 4000, "? PORT=4242 mix phx.server"),
    ("./mvnw spring-boot:run", "spring-boot:run", 8080, "SERVER_PORT=4242 ./mvnw spring-boot:run"),
    ("./gradlew bootRun --args=--server.port=1", "bootRun", 1, "./gradlew bootRun --args=--server.port=4242"),
    ("quarkus dev", "quarkus dev", 8080, "quarkus dev -Dquarkus.http.port=4242"),
    ("java -jar app.jar --server.port=1", "java", 1, "java -jar app.jar --server.port=4242"),
    ("java -Dserver.port=1 -jar app.jar", "java", 1, "java -Dserver.port=4242 -jar app.jar"),
    ("java -jar app.jar", "java", 0, "? SERVER_PORT=4242 java -jar app.jar"),
    ("dotnet run", "dotnet run", 5000, "dotnet run --urls=http://localhost:4242"),
    ("dotnet run --urls http://*:1", "dotnet run", 1, "dotnet run --urls 'http://*:4242'"),
    ("ASPNETCORE_URLS='http://+:1' dotnet run", "dotnet run", 1,
     "ASPNETCORE_URLS=http://+:1 dotnet run --urls=http://localhost:4242"),
    // Containers, tunnels.
    ("docker run --rm -it -p 3000:80 nginx -p 9", "docker run", 3000, "docker run --rm -it -p 4242:80 nginx -p 9"),
    ("docker run --name p -e PORT=1 -p 127.0.0.1:3000:80/tcp img", "docker run", 3000,
     "docker run --name p -e PORT=1 -p 127.0.0.1:4242:80/tcp img"),
    ("podman run img server --port 3000", "docker run", 0, "no way"),
    ("docker compose up", "", 0, "? PORT=4242 docker compose up"),
    ("kubectl port-forward svc/web 3000:80", "kubectl port-forward", 3000, "kubectl port-forward svc/web 4242:80"),
    ("kubectl -n web port-forward svc/web 3000", "kubectl port-forward", 3000,
     "kubectl -n web port-forward svc/web 4242:3000"),
    ("ssh -N -L 3000:db:5432 host", "ssh -L", 3000, "ssh -N -L 4242:db:5432 host"),
    ("ssh -i key host", "ssh -L", 0, "no way"),
    ("socat TCP-LISTEN:3000,fork EXEC:cat", "socat", 3000, "socat TCP-LISTEN:4242,fork EXEC:cat"),
    ("socat - TCP:host:80", "socat", 0, "no way"),
    // Services.
    ("redis-server /etc/redis.conf --port 1", "redis-server", 1, "redis-server /etc/redis.conf --port 4242"),
    ("redis-server", "redis-server", 6379, "redis-server --port 4242"),
    ("postgres -D data -p 5433", "postgres", 5433, "postgres -D data -p 4242"),
    ("PGPORT=1 postgres -D data", "postgres", 1, "PGPORT=1 postgres -D data -p 4242"),
    ("pg_ctl -D data -o '-p 5433 -F' start", "pg_ctl", 5433, "pg_ctl -D data -o '-p 4242 -F' start"),
    ("mysqld --port=1", "mysqld", 1, "mysqld --port=4242"),
    ("mongod", "mongod", 27017, "mongod --port 4242"),
    ("memcached -p 1", "memcached", 1, "memcached -p 4242"),
    ("nginx -g 'daemon off;'", "nginx", 0, "no way"),
    ("busybox httpd -f -p 8080", "busybox httpd", 8080, "busybox httpd -f -p 4242"),
    // Wrappers and shells.
    ("env PORT=1 node server.js", "node", 1, "env PORT=4242 node server.js"),
    ("env -u X -i PORT=1 gunicorn app:app", "gunicorn", 1, "env -u X -i PORT=4242 gunicorn app:app"),
    ("sudo -u web -E vite", "vite", 5173, "sudo -u web -E vite --port 4242"),
    ("PORT=1 sudo react-scripts start", "react-scripts", 3000, "sudo env PORT=4242 react-scripts start"),
    ("sudo PORT=1 react-scripts start", "react-scripts", 1, "sudo PORT=4242 react-scripts start"),
    ("timeout -k 5 60 nice -n 5 vite", "vite", 5173, "timeout -k 5 60 nice -n 5 vite --port 4242"),
    ("sh -c 'vite --port 3000'", "vite", 3000, "sh -c 'vite --port 4242'"),
    ("sh -c 'vite'", "vite", 5173, "sh -c 'vite --port 4242'"),
    ("bash -lc 'cd web && exec vite >log 2>&1'", "vite", 5173, "bash -lc 'cd web && exec vite --port 4242 >log 2>&1'"),
    ("sh -c 'PORT=1 node server.js; echo done'", "node", 1, "sh -c 'PORT=4242 node server.js; echo done'"),
    ("sh -c 'export PORT=1; node server.js'", "node", 1, "sh -c 'export PORT=4242; node server.js'"),
    ("sh -c 'npm run dev'", "vite", 5173, "sh -c 'npm run dev -- --port 4242'"),
    ("sh -c 'sudo react-scripts start'", "react-scripts", 3000, "sh -c 'sudo env PORT=4242 react-scripts start'"),
    ("sh -c 'sh -c \"vite --port 1\"'", "vite", 1, "no way"),
    ("sh -c 'vite $(cat x)'", "", 0, "no way"),
    ("sh server.sh", "", 0, "? PORT=4242 sh server.sh"),
    ("sudo npm run cra", "react-scripts", 3000, "sudo env PORT=4242 npm run cra"),
    ("bun run index.ts", "bun", 0, "? PORT=4242 bun run index.ts"),
    ("node --run dev", "vite", 5173, "node --run dev -- --port 4242"),
    ("cmd /c npm.cmd run dev", "vite", 5173, "cmd /c npm.cmd run dev -- --port 4242"),
    ("uvx --from x uvicorn app:app", "uvicorn", 8000, "uvx --from x uvicorn app:app --port 4242"),
    ("npm -w web run dev", "", 0, "? PORT=4242 npm -w web run dev"),
    ("pnpm --filter web dev", "", 0, "? PORT=4242 pnpm --filter web dev"),
    ("yarn workspace web dev", "", 0, "? PORT=4242 yarn workspace web dev"),
    ("setpriv --reuid 65534 --regid 65534 --clear-groups postgres -D d -p 1", "postgres", 1,
     "setpriv --reuid 65534 --regid 65534 --clear-groups postgres -D d -p 4242"),
    ("runuser -u web -- react-scripts start", "react-scripts", 3000,
     "runuser -u web -- env PORT=4242 react-scripts start"),
    ("su-exec web vite", "vite", 5173, "su-exec web vite --port 4242"),
    ("strace -f -e bind vite", "vite", 5173, "strace -f -e bind vite --port 4242"),
    ("next -p", "next", 3000, "no way"),
    ("foreman start", "foreman start", 5000, "foreman start -p 4242"),
    // Unknown programs.
    ("./server", "", 0, "? PORT=4242 ./server"),
    ("./server --port 1", "", 1, "./server --port 4242"),
    ("./server -addr :1", "", 1, "./server -addr :4242"),
    ("PORT=1 ./server", "", 1, "? PORT=4242 ./server"),
    ("sudo ./server", "", 0, "? sudo env PORT=4242 ./server"),
    ("cat --port", "", 0, "? PORT=4242 cat --port"),
];

#[test]
fn command_lines_are_understood_and_moved() {
    let mut wrong = Vec::new();
    for &(line, program, port, launch) in ROWS {
        let name = with(line, |argv, around| program_around(argv, around).map_or("", |p| p.name));
        let wanted = ports(line).first().copied().unwrap_or(0);
        let got = (name, wanted, moved(line));
        // The environment of a row is not repeated by the launch.
        let (vars, _) = split(line);
        let set = vars.iter().map(|(name, value)| format!("{name}={value} "));
        let set: String = set.filter(|own| launch.contains(own.as_str())).collect();
        let want = (program, port, launch.replacen(&set, "", 1));
        if got != want {
            wrong.push(format!("{line}\n   got {got:?}\n  want {want:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What was moved wants the port that it was moved to.
#[test]
fn a_moved_command_wants_its_new_port() {
    for &(line, ..) in ROWS {
        let (vars, argv) = split(line);
        let env = |name: &str| vars.iter().find(|(own, _)| own == name).map(|(_, v)| v.clone());
        let around = Around { cwd: Path::new("/home/me/app"), env: &env, files: &files };
        let port = Port::new(4242).unwrap();
        let Some(launch) = with_port(&argv, &around, port) else { continue };
        let env = |name: &str| {
            let own = launch.env.iter().find(|(own, _)| own == name);
            own.map(|(_, value)| value.clone()).or_else(|| (around.env)(name))
        };
        let around = Around { env: &env, ..around };
        assert_eq!(wanted_port(&launch.argv, &around), Some(port), "{line}: {launch:?}");
    }
}

#[test]
fn one_port_of_several_is_moved() {
    let line = "docker run -p 3000:80 -p 9229:9229 img";
    assert_eq!(ports(line), [3000, 9229]);
    for (from, want) in [(9229, "-p 3000:80 -p 4242:9229"), (3000, "-p 4242:80 -p 9229:9229")] {
        let launch = with(line, |argv, around| {
            let [from, to] = [from, 4242].map(|port| Port::new(port).unwrap());
            with_port_instead(argv, around, from, to).unwrap()
        });
        assert_eq!(launch.argv.join(" "), format!("docker run {want} img"));
    }
    // The port of vite's own websocket is not the one that `--port` sets.
    let elsewhere = |line: &str| {
        let [from, to] = [24678, 4242].map(|port| Port::new(port).unwrap());
        with(line, |argv, around| with_port_instead(argv, around, from, to))
    };
    assert_eq!(elsewhere("vite --port 3000"), None);
    assert_eq!(elsewhere("env PORT=3000 node server.js"), None);
    // A default may be overruled by a file that nobody read here.
    assert_eq!(elsewhere("vite").unwrap().argv, ["vite", "--port", "4242"]);
    assert!(!elsewhere("PORT=3000 node server.js").unwrap().certain);
    assert_eq!(ports("gunicorn -b :1 -b unix:/a -b :2 app"), [1, 2]);
    assert_eq!(ports("ssh -L 1:a:9 -L 2:b:9 host"), [1, 2]);
    assert_eq!(ports("kubectl port-forward pod/x 1:9 2:9"), [1, 2]);
}

#[test]
fn the_source_of_a_port_is_told() {
    for (line, source) in [
        ("vite", Source::Default),
        ("vite --port 1", Source::Arguments),
        ("npm run flagged", Source::Arguments),
        ("PORT=1 next dev", Source::Environment("PORT")),
        ("npm run cross", Source::Environment("PORT")),
    ] {
        assert_eq!(with(line, |argv, around| wanted(argv, around)[0].source), source, "{line}");
    }
}

#[test]
fn nothing_is_made_of_nothing() {
    let around = Around { cwd: Path::new("/"), env: &|_| None, files: &|_| None };
    for argv in
        [vec![], vec![""], vec!["", ""], vec!["sh", "-c"], vec!["sh", "-c", ""], vec!["npm"]]
    {
        let argv: Vec<String> = argv.into_iter().map(str::to_owned).collect();
        assert!(program_of(&argv).is_none(), "{argv:?}");
        assert!(wanted_port(&argv, &around).is_none(), "{argv:?}");
        let _ = with_port(&argv, &around, Port::new(1).unwrap());
    }
}

/// What was seen in trials (docs/conflicts.md): what each did when its default port and when the
/// port it was told were held, and whether it served on a listening socket handed over as
/// descriptor 3 with LISTEN_FDS, alone or with which arguments.
#[test]
fn the_table_says_what_was_tried() {
    use Moves::{Always, FromDefault, Never};
    let facts: &[(&str, Moves, bool, &[&str])] = &[
        ("vite", Always, false, &[]),
        ("vite preview", Always, false, &[]),
        ("next dev", FromDefault, false, &[]),
        ("nuxt dev", Always, false, &[]),
        ("webpack serve", FromDefault, false, &[]),
        ("http-server", FromDefault, false, &[]),
        ("serve", Always, false, &[]),
        ("live-server", Always, false, &[]),
        ("json-server db.json", Never, false, &[]),
        ("parcel index.html", FromDefault, false, &[]),
        ("eleventy --serve", Always, false, &[]),
        ("python -m http.server", Never, false, &[]),
        ("flask run", Never, false, &[]),
        ("manage.py runserver", Never, false, &[]),
        ("uvicorn app:app", Never, false, &["--fd", "3"]),
        ("gunicorn app:app", Never, true, &[]),
        ("hypercorn app:app", Never, false, &["--bind", "fd://3"]),
        ("daphne app:app", Never, false, &["--fd", "3"]),
        ("waitress-serve app:app", Never, false, &[]),
        ("mkdocs serve", Never, false, &[]),
        ("streamlit run app.py", FromDefault, false, &[]),
        ("jupyter server", Always, false, &[]),
        ("puma", Never, false, &["--bind-to-activated-sockets", "only"]),
        ("php -S localhost:8000", Never, false, &[]),
        ("deno serve main.ts", Never, false, &[]),
        ("redis-server", Never, false, &[]),
        ("memcached", Never, false, &[]),
        ("postgres", Never, false, &[]),
        ("caddy file-server", Never, false, &[]),
    ];
    for (line, moves, listen_fds, arguments) in facts {
        let program = program_of(&split(line).1).unwrap();
        let known = (program.moves, program.takes_listen_fds, program.descriptor_arguments);
        assert_eq!(known, (*moves, *listen_fds, *arguments), "{line}");
    }
}

/// A row that an earlier one hides would never be found.
#[test]
fn every_program_can_be_reached() {
    for (at, program) in PROGRAMS.iter().enumerate() {
        assert!(!program.name.is_empty() && !program.called.names.is_empty(), "row {at}");
        for name in program.called.names {
            let hidden = PROGRAMS[..at].iter().any(|earlier| {
                earlier.called.names.contains(name) && matches!(earlier.called.then, Then::Anything)
            });
            assert!(!hidden, "{name} of {}", program.name);
        }
    }
    let named: HashSet<&str> = ROWS.iter().map(|row| row.1).collect();
    assert!(named.len() > 70, "{} programs have a row here", named.len());
}

proptest::proptest! {
    #[test]
    fn no_command_line_panics(words in proptest::collection::vec(word(), 0..7)) {
        let files = |_: &Path| Some(PACKAGE.to_owned());
        let around = Around { cwd: Path::new("/a/b"), env: &|_| Some("1".to_owned()), files: &files };
        let port = Port::new(4242).unwrap();
        let _ = wanted(&words, &around);
        if let Some(launch) = with_port(&words, &around, port) {
            // One more time, from where it stands, changes nothing more than the number.
            let env = |name: &str| {
                launch.env.iter().find(|(own, _)| own == name).map(|(_, v)| v.clone())
            };
            let around = Around { env: &env, ..around };
            let again = with_port(&launch.argv, &around, port);
            if let Some(again) = again.filter(|_| launch.certain && launch.env.is_empty()) {
                proptest::prop_assert_eq!(again.argv.len(), launch.argv.len());
            }
        }
    }
}

fn word() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let known = vec![
        "vite",
        "npm",
        "npx",
        "run",
        "exec",
        "dev",
        "flagged",
        "served",
        "--",
        "-p",
        "--port",
        "--port=3",
        "3000",
        "sudo",
        "env",
        "PORT=5",
        "sh",
        "-c",
        "vite --port 3 && x",
        "'",
        "$",
        "docker",
        "kubectl",
        "port-forward",
        "1:2",
        "-L",
        "ssh",
        "python",
        "-m",
        "http.server",
        "next",
        "node",
        "node_modules/",
        "node_modules/@a",
        "deno",
        "serve",
        "php",
        "-S",
        "java",
        ":",
        "é",
        "-pé",
        "=",
        "timeout",
        "nodemon",
        "--exec",
        "bun",
        "yarn",
        "workspace",
        "dotenvx",
        "-",
        "pg_ctl",
        "-o",
    ];
    prop_oneof![4 => prop::sample::select(known).prop_map(str::to_owned), 1 => ".{0,8}"]
}

#[test]
fn what_a_browser_can_open_is_told_apart() {
    for (line, want) in [
        ("vite", true),
        ("flask run", true),
        ("python3 -m http.server", true),
        ("redis-server", false),
        ("postgres", false),
        ("mysqld_safe", false),
        ("mongod", false),
        ("memcached", false),
        ("ssh -L 1:a:1 host", false),
        ("socat TCP-LISTEN:1 -", false),
        ("docker run -p 1:1 x", false),
        ("kubectl port-forward x 1", false),
        ("node server.js", false),
    ] {
        let argv: Vec<String> = line.split(' ').map(str::to_owned).collect();
        assert_eq!(program_of(&argv).map(Program::speaks_http), Some(want), "{line}");
    }
}
