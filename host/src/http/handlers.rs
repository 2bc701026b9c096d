//! The handlers that every configured noun has, written once: thin, for OpenAPI needs a function for each route and what they do stands
//! in [`super::configured`].

/// Gives a noun's file the handlers `list`, `create`, `show`, `replace`, `change`: thin, for OpenAPI needs a function for each.
macro_rules! handlers {
    ($kind:ty, $form:ident, tag = $tag:literal, all = $all:literal, one = $one:literal) => {
        /// Lists them in byte order of their names.
        #[utoipa::path(get, path = $all, tag = $tag, params($crate::http::configured::ListQuery),
                            responses((status = 200, body = $crate::http::page::Page<$form>)))]
        async fn list(
            axum::extract::State(state): axum::extract::State<$crate::http::ApiState>,
            $crate::http::query::Query(query): $crate::http::query::Query<$crate::http::configured::ListQuery>,
        ) -> Result<axum::Json<$crate::http::page::Page<serde_json::Value>>, $crate::http::problem::Problem> {
            $crate::http::configured::list::<$kind>(&state, query).await.map(axum::Json)
        }

        /// Adds one. What the body leaves out has its default.
        #[utoipa::path(post, path = $all, tag = $tag, request_body = $form,
                            responses((status = 201, body = $form), (status = 202, body = $form, description = "Saved, not in force yet")))]
        async fn create(
            axum::extract::State(state): axum::extract::State<$crate::http::ApiState>,
            axum::Extension(caller): axum::Extension<$crate::http::auth::Caller>,
            $crate::http::body::Json(body): $crate::http::body::Json<serde_json::Value>,
        ) -> Result<axum::response::Response, $crate::http::problem::Problem> {
            $crate::http::configured::create::<$kind>(&state, &caller, $all, body).await
        }

        /// Shows one.
        #[utoipa::path(get, path = $one, tag = $tag, params(("name" = String, Path)), responses((status = 200, body = $form)))]
        async fn show(
            axum::extract::State(state): axum::extract::State<$crate::http::ApiState>,
            headers: axum::http::HeaderMap,
            axum::extract::Path(name): axum::extract::Path<String>,
        ) -> Result<axum::response::Response, $crate::http::problem::Problem> {
            $crate::http::configured::show::<$kind>(&state, &headers, &name).await
        }

        /// Puts a whole one in the place of this name, or adds it. What the body leaves out has its default; secrets that it leaves out stay.
        #[utoipa::path(put, path = $one, tag = $tag, params(("name" = String, Path)), request_body = $form,
                            responses(
                                (status = 200, body = $form),
                                (status = 201, body = $form),
                                (status = 202, body = $form, description = "Saved, not in force yet")
                            ))]
        async fn replace(
            axum::extract::State(state): axum::extract::State<$crate::http::ApiState>,
            axum::Extension(caller): axum::Extension<$crate::http::auth::Caller>,
            headers: axum::http::HeaderMap,
            axum::extract::Path(name): axum::extract::Path<String>,
            $crate::http::body::Json(body): $crate::http::body::Json<serde_json::Value>,
        ) -> Result<axum::response::Response, $crate::http::problem::Problem> {
            $crate::http::configured::replace::<$kind>(&state, &caller, &headers, &name, body).await
        }

        /// Changes the keys that the body names; what it leaves out stays.
        #[utoipa::path(patch, path = $one, tag = $tag, params(("name" = String, Path)), request_body = $form,
                            responses((status = 200, body = $form), (status = 202, body = $form, description = "Saved, not in force yet")))]
        async fn change(
            axum::extract::State(state): axum::extract::State<$crate::http::ApiState>,
            axum::Extension(caller): axum::Extension<$crate::http::auth::Caller>,
            headers: axum::http::HeaderMap,
            axum::extract::Path(name): axum::extract::Path<String>,
            $crate::http::body::Json(body): $crate::http::body::Json<serde_json::Value>,
        ) -> Result<axum::response::Response, $crate::http::problem::Problem> {
            $crate::http::configured::change::<$kind>(&state, &caller, &headers, &name, body).await
        }
    };
}

/// Gives a noun's file the handler `delete` as well.
macro_rules! delete_handler {
    ($kind:ty, tag = $tag:literal, one = $one:literal) => {
        /// Deletes it.
        #[utoipa::path(delete, path = $one, tag = $tag, params(("name" = String, Path)), responses((status = 204)))]
        async fn delete(
            axum::extract::State(state): axum::extract::State<$crate::http::ApiState>,
            axum::Extension(caller): axum::Extension<$crate::http::auth::Caller>,
            headers: axum::http::HeaderMap,
            axum::extract::Path(name): axum::extract::Path<String>,
        ) -> Result<axum::response::Response, $crate::http::problem::Problem> {
            $crate::http::configured::delete::<$kind>(&state, &caller, &headers, &name).await
        }
    };
}

pub(super) use {delete_handler, handlers};
