-- users: somebody with an account
-- locks: nothing; undo: DROP TABLE users
CREATE TABLE IF NOT EXISTS users (
  id TEXT NOT NULL DEFAULT (lower(substr(printf('%012x', CAST(unixepoch('subsec') * 1000 AS INTEGER)), 1, 8) || '-' || substr(printf('%012x', CAST(unixepoch('subsec') * 1000 AS INTEGER)), 9, 4) || '-7' || substr(hex(randomblob(2)), 2) || '-' || substr('89ab', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))),
  email TEXT NOT NULL COLLATE NOCASE,
  name TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'active',
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  row_version INTEGER NOT NULL DEFAULT 1,
  PRIMARY KEY (id),
  UNIQUE (email),
  CONSTRAINT users_email_length CHECK (length(email) <= 254),
  CONSTRAINT users_email_not_blank CHECK (trim(email) <> ''),
  CONSTRAINT users_name_length CHECK (length(name) <= 200),
  CONSTRAINT users_name_not_blank CHECK (trim(name) <> ''),
  CONSTRAINT users_status_words CHECK (status IN ('active', 'disabled'))
) STRICT;

-- orders: an order of a customer
-- locks: nothing; undo: DROP TABLE orders
CREATE TABLE IF NOT EXISTS orders (
  id TEXT NOT NULL DEFAULT (lower(substr(printf('%012x', CAST(unixepoch('subsec') * 1000 AS INTEGER)), 1, 8) || '-' || substr(printf('%012x', CAST(unixepoch('subsec') * 1000 AS INTEGER)), 9, 4) || '-7' || substr(hex(randomblob(2)), 2) || '-' || substr('89ab', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))),
  user_id TEXT NOT NULL,
  order_number TEXT,
  status TEXT NOT NULL DEFAULT 'pending',
  subtotal INTEGER,
  tax INTEGER,
  shipping_cost INTEGER,
  discount INTEGER,
  total INTEGER NOT NULL,
  currency TEXT NOT NULL DEFAULT 'USD',
  shipping_address TEXT,
  billing_address TEXT,
  notes TEXT,
  placed_at TEXT,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  row_version INTEGER NOT NULL DEFAULT 1,
  PRIMARY KEY (id),
  UNIQUE (order_number),
  CONSTRAINT orders_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE RESTRICT,
  CONSTRAINT orders_order_number_length CHECK (length(order_number) <= 100),
  CONSTRAINT orders_status_words CHECK (status IN ('pending', 'paid', 'processing', 'shipped', 'delivered', 'cancelled', 'refunded')),
  CONSTRAINT orders_subtotal_range CHECK (subtotal >= 0),
  CONSTRAINT orders_tax_range CHECK (tax >= 0),
  CONSTRAINT orders_shipping_cost_range CHECK (shipping_cost >= 0),
  CONSTRAINT orders_discount_range CHECK (discount >= 0),
  CONSTRAINT orders_total_range CHECK (total >= 0),
  CONSTRAINT orders_currency_letters CHECK (currency GLOB '[A-Z][A-Z][A-Z]'),
  CONSTRAINT orders_shipping_address_length CHECK (length(shipping_address) <= 500),
  CONSTRAINT orders_billing_address_length CHECK (length(billing_address) <= 500),
  CONSTRAINT orders_notes_length CHECK (length(notes) <= 2000)
) STRICT;

-- products: a product that is sold
-- locks: nothing; undo: DROP TABLE products
CREATE TABLE IF NOT EXISTS products (
  id TEXT NOT NULL DEFAULT (lower(substr(printf('%012x', CAST(unixepoch('subsec') * 1000 AS INTEGER)), 1, 8) || '-' || substr(printf('%012x', CAST(unixepoch('subsec') * 1000 AS INTEGER)), 9, 4) || '-7' || substr(hex(randomblob(2)), 2) || '-' || substr('89ab', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))),
  name TEXT NOT NULL,
  sku TEXT,
  description TEXT,
  price INTEGER NOT NULL,
  currency TEXT NOT NULL DEFAULT 'USD',
  category TEXT,
  stock INTEGER,
  status TEXT NOT NULL DEFAULT 'active',
  image_url TEXT,
  weight_kg INTEGER,
  tags TEXT,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  row_version INTEGER NOT NULL DEFAULT 1,
  PRIMARY KEY (id),
  UNIQUE (sku),
  CONSTRAINT products_name_length CHECK (length(name) <= 200),
  CONSTRAINT products_name_not_blank CHECK (trim(name) <> ''),
  CONSTRAINT products_sku_length CHECK (length(sku) <= 100),
  CONSTRAINT products_description_length CHECK (length(description) <= 10000),
  CONSTRAINT products_price_range CHECK (price >= 0),
  CONSTRAINT products_currency_letters CHECK (currency GLOB '[A-Z][A-Z][A-Z]'),
  CONSTRAINT products_category_length CHECK (length(category) <= 100),
  CONSTRAINT products_stock_range CHECK (stock >= 0),
  CONSTRAINT products_status_words CHECK (status IN ('draft', 'active', 'archived')),
  CONSTRAINT products_image_url_length CHECK (length(image_url) <= 2048),
  CONSTRAINT products_weight_kg_range CHECK (weight_kg >= 0)
) STRICT;

-- order_items: a line of an order
-- locks: nothing; undo: DROP TABLE order_items
CREATE TABLE IF NOT EXISTS order_items (
  id TEXT NOT NULL DEFAULT (lower(substr(printf('%012x', CAST(unixepoch('subsec') * 1000 AS INTEGER)), 1, 8) || '-' || substr(printf('%012x', CAST(unixepoch('subsec') * 1000 AS INTEGER)), 9, 4) || '-7' || substr(hex(randomblob(2)), 2) || '-' || substr('89ab', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))),
  order_id TEXT NOT NULL,
  product_id TEXT NOT NULL,
  product_name TEXT,
  sku TEXT,
  quantity INTEGER NOT NULL,
  unit_price INTEGER NOT NULL,
  stock_taken INTEGER NOT NULL DEFAULT 0,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  row_version INTEGER NOT NULL DEFAULT 1,
  PRIMARY KEY (id),
  UNIQUE (order_id, product_id),
  CONSTRAINT order_items_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE,
  CONSTRAINT order_items_product_id_fkey FOREIGN KEY (product_id) REFERENCES products (id) ON DELETE RESTRICT,
  CONSTRAINT order_items_product_name_length CHECK (length(product_name) <= 200),
  CONSTRAINT order_items_sku_length CHECK (length(sku) <= 100),
  CONSTRAINT order_items_quantity_range CHECK (quantity >= 1),
  CONSTRAINT order_items_unit_price_range CHECK (unit_price >= 0),
  CONSTRAINT order_items_stock_taken_range CHECK (stock_taken >= 0)
) STRICT;

-- users: the database itself keeps `updated_at` and `row_version`, whoever writes
-- locks: nothing; undo: DROP TRIGGER IF EXISTS users_touch
CREATE TRIGGER IF NOT EXISTS users_touch
AFTER UPDATE ON users FOR EACH ROW WHEN NEW.updated_at = OLD.updated_at
BEGIN
  UPDATE users SET updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), row_version = OLD.row_version + 1 WHERE id = NEW.id;
END;

-- orders_user_id_idx: finds the rows that lead to one of the other table, also when that one is to go
-- locks: writes, for a moment; undo: DROP INDEX IF EXISTS orders_user_id_idx
CREATE INDEX IF NOT EXISTS orders_user_id_idx ON orders (user_id);

-- orders: the database itself keeps `updated_at` and `row_version`, whoever writes
-- locks: nothing; undo: DROP TRIGGER IF EXISTS orders_touch
CREATE TRIGGER IF NOT EXISTS orders_touch
AFTER UPDATE ON orders FOR EACH ROW WHEN NEW.updated_at = OLD.updated_at
BEGIN
  UPDATE orders SET updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), row_version = OLD.row_version + 1 WHERE id = NEW.id;
END;

-- products: the database itself keeps `updated_at` and `row_version`, whoever writes
-- locks: nothing; undo: DROP TRIGGER IF EXISTS products_touch
CREATE TRIGGER IF NOT EXISTS products_touch
AFTER UPDATE ON products FOR EACH ROW WHEN NEW.updated_at = OLD.updated_at
BEGIN
  UPDATE products SET updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), row_version = OLD.row_version + 1 WHERE id = NEW.id;
END;

-- order_items_product_id_idx: finds the rows that lead to one of the other table, also when that one is to go
-- locks: writes, for a moment; undo: DROP INDEX IF EXISTS order_items_product_id_idx
CREATE INDEX IF NOT EXISTS order_items_product_id_idx ON order_items (product_id);

-- order_items: the database itself keeps `updated_at` and `row_version`, whoever writes
-- locks: nothing; undo: DROP TRIGGER IF EXISTS order_items_touch
CREATE TRIGGER IF NOT EXISTS order_items_touch
AFTER UPDATE ON order_items FOR EACH ROW WHEN NEW.updated_at = OLD.updated_at
BEGIN
  UPDATE order_items SET updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), row_version = OLD.row_version + 1 WHERE id = NEW.id;
END;
