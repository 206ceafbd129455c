-- Rows that the change of the clinic must respect: a table that holds none is changed without care for those who wait.
INSERT INTO departments (name) VALUES ('Cardiology');
INSERT INTO rooms (department_id, name) SELECT id, 'Room 1' FROM departments;
INSERT INTO employees (first_name, last_name, email) VALUES ('Grace', 'Example', 'grace@example.com');
INSERT INTO patients (first_name, last_name, date_of_birth) VALUES ('Ada', 'Example', '1980-02-29');
INSERT INTO appointments (patient_id, employee_id, room_id, starts_at)
  SELECT patients.id, employees.id, rooms.id, '2026-01-02T03:04:05Z' FROM patients, employees, rooms;
INSERT INTO prescriptions (appointment_id, drug, daily_dose, starts_on) SELECT id, 'Aspirin', 0.5, '2026-01-02' FROM appointments;
INSERT INTO diagnoses (code, title) VALUES ('J00', 'Common cold'), ('I10', 'Hypertension');
